"""Turn every crystal into a graph: atoms, and the neighbours of each atom across the periodic images of the cell."""
