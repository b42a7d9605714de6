"""Metrics and plots from prediction tables: one small program per result, never a model."""
