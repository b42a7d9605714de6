"""Give every crystal its texts: the narrative it came with and a description by robocrystallographer."""
