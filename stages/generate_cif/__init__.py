"""Turn the raw rows of all sources into one table of crystals, and list every row that is none."""
