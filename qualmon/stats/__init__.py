"""Sequential change detection for rare, partial faults, under a stated false-alarm budget."""
