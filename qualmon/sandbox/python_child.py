"""Worker process: compiles Python source and never runs it. Standard library only.

Started as ``python -I -S -E python_child.py CPU_SECONDS MEMORY_BYTES`` with an empty
environment. One request per line on standard input, ``{"id": n, "source": "..."}``; one
reply per line on standard output, ``{"id", "outcome", "message", "line"}``. Compiling runs
nothing of the source, so that only this file can write to standard output.
"""

from __future__ import annotations

import json
import resource
import sys
import warnings

#: Outcome by exception: the source is wrong, or it asks for more than it may have.
FAILURES = (SyntaxError, ValueError)  # ValueError: NUL bytes; UnicodeError: lone surrogates
LIMITS = (MemoryError, RecursionError, OverflowError)
MESSAGE_LENGTH = 200
_VERSION = "CPython " + sys.version.split()[0]


def main() -> None:
    """Serves requests until standard input ends."""
    cpu_seconds, memory_bytes = int(sys.argv[1]), int(sys.argv[2])
    warnings.simplefilter("ignore")
    _confine(memory_bytes)
    for line in sys.stdin.buffer:
        _allow_cpu(cpu_seconds)
        request = json.loads(line)
        reply = {"id": request["id"], **verdict_on(request["source"])}
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


def verdict_on(source: str) -> dict[str, object]:
    """outcome (ok, fail, resource_limit), message in ASCII and line of one source."""
    try:
        compile(source, "<answer>", "exec", dont_inherit=True)
    except FAILURES as error:
        line = getattr(error, "lineno", None)
        return {"outcome": "fail", "message": _message(error), "line": line}
    except LIMITS as error:
        return {"outcome": "resource_limit", "message": _message(error), "line": None}
    return {"outcome": "ok", "message": _VERSION, "line": None}


def _message(error: BaseException) -> str:
    text = getattr(error, "msg", None) or str(error)
    message = f"{_VERSION}: {type(error).__name__}: {text}"
    return message.encode("ascii", "backslashreplace").decode()[:MESSAGE_LENGTH]


def _confine(memory_bytes: int) -> None:
    """Limits that hold for the whole process; none can be raised again."""
    _lower(resource.RLIMIT_AS, memory_bytes)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_NOFILE, 8)
    _lower(resource.RLIMIT_NPROC, 0)  # without effect for root


def _lower(kind: int, limit: int) -> None:
    _, hard = resource.getrlimit(kind)
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(kind, (limit, limit))


def _allow_cpu(seconds: int) -> None:
    """Moves the soft CPU limit to `seconds` from now; beyond it the process dies."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(usage.ru_utime + usage.ru_stime) + seconds + 1
    soft = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


if __name__ == "__main__":
    main()
