"""qualmon: says that a served LLM got worse, where, and how sure it is."""

__version__ = "0.1.0"
__all__ = ["__version__"]
