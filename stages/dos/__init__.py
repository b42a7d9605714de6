"""The DOS transformer: phonon and electron densities of states on a fixed grid."""
