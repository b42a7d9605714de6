"""Contrastive pretraining of the graph tower and the text tower on pairs of crystal and text."""
