"""A comparison of the graph encoders, from DVC's experiments; a command of its own, no stage of the pipeline."""
