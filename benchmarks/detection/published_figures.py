"""Figures as printed in papers and manuals."""

from __future__ import annotations

from typing import Final

from qualmon.stats.oracle.bernoulli import Lattice

#: (source, reference, height, mean, printed run length) of one-sided CUSUMs.
CUSUMS: Final = (
    ("Brook, Evans 1972", 0.5, 3.0, 0.0, 117.59),
    ("Brook, Evans 1972", 0.5, 3.0, 1.5, 3.75),
    ("standard tables", 0.5, 4.0, 0.0, 335.4),
    ("standard tables", 0.5, 4.0, 1.0, 8.38),
    ("standard tables", 0.5, 5.0, 0.0, 930.9),
    ("standard tables", 0.5, 5.0, 1.0, 10.38),
    ("Vance 1986", 0.0, 10.0, -0.25, 2071.51),
    ("Vance 1986", 0.0, 10.0, -0.125, 400.28),
    ("Vance 1986", 0.0, 10.0, 0.0, 124.66),
    ("Vance 1986", 0.0, 10.0, 0.25, 36.71),
    ("Vance 1986", 0.0, 10.0, 0.5, 20.37),
    ("Vance 1986", 0.0, 10.0, 1.0, 10.75),
    ("Waldmann 1986", 0.5, 3.0, -0.5, 1963.0),
    ("Waldmann 1986", 0.5, 3.0, 0.5, 17.35),
    ("SAS/QC manual 1999", 0.25, 8.0, 2.5, 4.1500836225),
)

#: Moustakides, Polunchenko, Tartakovsky 2009, tables 2-4: shift, and rows of
#: (gamma, A, run length, delay[, stationary delay]).
MPT: Final[dict[float, tuple[tuple[float, ...], ...]]] = {
    0.1: (
        (50, 47.17, 50.29, 41.40),
        (100, 94.34, 100.28, 72.32),
        (500, 471.70, 500.28, 209.44),
        (1000, 943.41, 1000.28, 298.50),
        (5000, 4717.04, 5000.24, 557.87),
        (10000, 9434.08, 10000.17, 684.17),
    ),
    0.5: (
        (50, 37.38, 49.45, 12.30),
        (100, 74.76, 99.45, 16.60),
        (500, 373.81, 499.45, 28.05),
        (1000, 747.62, 999.45, 33.33),
        (5000, 3738.08, 4999.45, 45.96),
        (10000, 7476.15, 9999.24, 51.49),
    ),
    1.0: (
        (50, 28.02, 49.78, 4.98, 4.37),
        (100, 56.04, 99.79, 6.22, 5.46),
        (500, 280.19, 499.79, 9.30, 8.33),
        (1000, 560.37, 999.79, 10.66, 9.64),
        (5000, 2801.75, 5000.93, 13.86, 12.79),
        (10000, 5603.70, 9999.87, 15.24, 14.17),
    ),
}

#: (share, lattice, height, printed healthy run length, printed delay) at a healthy rate of 1 %.
LATTICES: Final = (
    (0.024094, Lattice(1, 50, 0.0), 175, 8457.04, 210.10),
    (0.119934, Lattice(1, 20, 0.0), 70, 168702.0, 41.06),
)
