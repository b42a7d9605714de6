"""Give a person the CIF files of some crystals; no part of the pipeline."""
