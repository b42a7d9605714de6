"""The seven crystal systems, in the order of the DOS transformer's prompt labels."""

CRYSTAL_SYSTEMS = ("cubic", "hexagonal", "tetragonal", "trigonal", "orthorhombic", "monoclinic", "triclinic")
