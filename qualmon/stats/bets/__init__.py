"""Bets: what one observation is worth against health, each with E[r | past] <= 1.

One concept per file. Every bet ends as an e-value `r` (or as a factor per share of a grid);
`contamination` turns an e-value into the factor of a share of faulty answers.
"""

from qualmon.stats.bets.events import (
    contamination,
    event_ratio,
    good_answers,
    missing_answer,
    product,
)

__all__ = ["contamination", "event_ratio", "good_answers", "missing_answer", "product"]
