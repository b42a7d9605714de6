"""One self-contained page about the pipeline, its data and its results."""
