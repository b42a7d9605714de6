"""Describe every crystal by one vector of features from a model that has been trained elsewhere."""
