"""The formats of the raw sources: the only modules that know what a source calls its fields."""
