"""Bets: what one observation is worth against health, each with E[r | past] <= 1.

One concept per file. Every bet ends as an e-value `r` (or as a factor per share of a grid);
`contamination` turns an e-value into the factor of a share of faulty answers.
"""

from qualmon.stats.bets.beta_binomial import beta_binomial_pmf, count_bet, count_bets
from qualmon.stats.bets.clusters import average, components, equal_weights
from qualmon.stats.bets.events import (
    contamination,
    event_ratio,
    good_answers,
    missing_answer,
    product,
)
from qualmon.stats.bets.novelty import novelty_ratio
from qualmon.stats.bets.odds import least_favourable, odds_bet
from qualmon.stats.bets.odds_days import day_factors, day_law, day_start, day_step

__all__ = [
    "average",
    "beta_binomial_pmf",
    "components",
    "contamination",
    "count_bet",
    "count_bets",
    "day_factors",
    "day_law",
    "day_start",
    "day_step",
    "equal_weights",
    "event_ratio",
    "good_answers",
    "least_favourable",
    "missing_answer",
    "novelty_ratio",
    "odds_bet",
    "product",
]
