"""Bring the raw files of a source into data/raw, checked against their SHA-256 digests."""
