"""The change detector against exact oracles, published values and peers.

Each section is a module with ``run(setting) -> Section``; the sections stand in SECTIONS.
"""
