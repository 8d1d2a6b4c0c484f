"""Makes a tiny llama model with random weights: babble in mixed scripts, for a real server.

Usage: python tests/integration/make_tiny_model.py OUT.gguf [SEED]. Needs the package `gguf`.
The vocabulary is a byte-level BPE, as the models in use have: every byte, specials, and merges
learned from English and foreign words, so that tokens may be a part of a UTF-8 character.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import gguf
import numpy as np

SPECIALS = ("<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>")
MERGES = 800
WIDTH, HIDDEN, HEADS, KV_HEADS, LAYERS, CONTEXT = 64, 128, 4, 2, 2, 2048
SPREAD = 0.3  # standard deviation of the weights: neither flat nor frozen at temperature 1
#: First and last letter of the scripts that foreign words are made of.
FOREIGN = ((0x0E01, 0x0E2E), (0x4E00, 0x4E60), (0x0430, 0x044F), (0x3042, 0x3060))
ENGLISH = """the of and a to in is that it was for on are as with his they at be this have from or
one had by word but not what all were we when your can said there use an each which she do how their
if will up other about out many then them these so some her would make like him into time has look
two more write go see number no way could people my than first water been call who oil its now find
long down day did get come made may part over new sound take only little work know place year live
return self def class import None True False lambda yield print range value index result"""
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{m['role']}}\n{{m['content']}}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def byte_letters() -> list[str]:
    """A printable letter for each byte, as GPT-2's byte-level BPE writes them."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) if byte in plain else chr(256 + rest.index(byte)) for byte in range(256)]


def words(draw: random.Random) -> Counter[str]:
    """English and foreign words with counts; half of them begin with a blank."""
    found = Counter({word: draw.randint(5, 60) for word in ENGLISH.split()})
    for first, last in FOREIGN:
        for _ in range(120):
            letters = [chr(draw.randint(first, last)) for _ in range(draw.randint(1, 4))]
            found["".join(letters)] += draw.randint(1, 20)
    return Counter({(" " if draw.random() < 0.5 else "") + word: n for word, n in found.items()})


def learn_merges(found: Counter[str]) -> list[tuple[str, str]]:
    """The most frequent pairs, each merged before the next is counted."""
    letters = byte_letters()
    split = [([letters[byte] for byte in word.encode()], n) for word, n in found.items()]
    merges: list[tuple[str, str]] = []
    while len(merges) < MERGES:
        pairs: Counter[tuple[str, str]] = Counter()
        for parts, n in split:
            for pair in pairwise(parts):
                pairs[pair] += n
        if not pairs:
            break
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        split = [(merged(parts, best), n) for parts, n in split]
    return merges


def merged(parts: list[str], pair: tuple[str, str]) -> list[str]:
    """`parts` with each occurrence of `pair` as one part."""
    result: list[str] = []
    for part in parts:
        if result and (result[-1], part) == pair:
            result[-1] += part
        else:
            result.append(part)
    return result


def write_vocabulary(writer: gguf.GGUFWriter, merges: list[tuple[str, str]]) -> int:
    """Tokenizer fields; returns how many tokens there are."""
    tokens = [*SPECIALS, *byte_letters(), *dict.fromkeys(a + b for a, b in merges)]
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([control] * len(SPECIALS) + [normal] * (len(tokens) - len(SPECIALS)))
    writer.add_token_merges([f"{a} {b}" for a, b in merges])
    writer.add_bos_token_id(SPECIALS.index("<s>"))
    writer.add_eos_token_id(SPECIALS.index("<|im_end|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    writer.add_vocab_size(len(tokens))
    return len(tokens)


def write_shape(writer: gguf.GGUFWriter) -> None:
    """Fields of the architecture."""
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def write_weights(writer: gguf.GGUFWriter, tokens: int, seed: int) -> None:
    """Normal weights, unit norms."""
    rng = np.random.default_rng(seed)
    kv = WIDTH * KV_HEADS // HEADS
    layer = {
        "attn_q": (WIDTH, WIDTH), "attn_k": (kv, WIDTH), "attn_v": (kv, WIDTH),
        "attn_output": (WIDTH, WIDTH), "ffn_gate": (HIDDEN, WIDTH), "ffn_up": (HIDDEN, WIDTH),
        "ffn_down": (WIDTH, HIDDEN), "attn_norm": (WIDTH,), "ffn_norm": (WIDTH,),
    }  # fmt: skip
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (tokens, WIDTH), "output_norm": (WIDTH,)}
    shapes |= {f"blk.{n}.{name}": shape for n in range(LAYERS) for name, shape in layer.items()}
    shapes["output"] = (tokens, WIDTH)
    for name, shape in shapes.items():
        drawn = np.ones(shape) if name.endswith("norm") else rng.normal(0.0, SPREAD, shape)
        writer.add_tensor(f"{name}.weight", drawn.astype(np.float32))


def make_tiny_model(path: Path, seed: int = 7) -> None:
    """Writes the model; the same seed gives the same bytes."""
    writer = gguf.GGUFWriter(path, "llama")
    write_shape(writer)
    tokens = write_vocabulary(writer, learn_merges(words(random.Random(seed))))
    write_weights(writer, tokens, seed)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    make_tiny_model(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 7)
