"""Exact oracles: run lengths and delays of rules that know the fault, without simulation.

bernoulli: the CUSUM that knows healthy rate and share, by a Markov chain on a lattice.
gaussian: CUSUM and Shiryaev-Roberts for a shift of the mean, by integral equations.
"""
