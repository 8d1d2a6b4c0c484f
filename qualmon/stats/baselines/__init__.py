"""Healthy references: what is usual, per prompt, per session and between targets."""
