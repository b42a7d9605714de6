"""What several stages need: parameters, tables, structures, graphs, weights and the training loop."""
