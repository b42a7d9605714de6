"""Comparisons from DVC's experiments; a command of its own, no stage of the pipeline."""
