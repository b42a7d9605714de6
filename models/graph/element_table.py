"""Tabulated properties of the elements.

The table was read from `pymatgen.core.Element` and pymatgen's `CovalentRadius` (pymatgen 2026.10); a test compares
them. It is kept here so that a model runs with torch and numpy alone. Deuterium and tritium are hydrogen, Z = 1.
"""

import numpy as np
from numpy.typing import NDArray

N_ELEMENTS = 118
N_GROUPS = 18
N_PERIODS = 7
BLOCKS = ("s", "p", "d", "f")
PROPERTIES = (
    "electronegativity",  # Pauling scale
    "atomic_radius",  # Å, Slater's empirical radius
    "ionization_energy",  # eV, first
    "electron_affinity",  # eV
    "mendeleev_number",  # Pettifor's chemical order
    "s_electrons",  # electrons outside the preceding noble gas
    "p_electrons",
    "d_electrons",
    "f_electrons",
    "covalent_radius",  # Å, Cordero et al., Dalton Trans. 2008, 2832, doi 10.1039/b801115j
    "molar_volume",  # cm³/mol of the solid or liquid element
)

# symbol, group, period, block, then PROPERTIES; "-" = not known. pymatgen's first ionisation energies of Mt and Ds
# (50 and 65 eV) are left out: they are several times what any estimate gives.
_TABLE = """
H 1 1 s 2.2 0.25 13.598 0.754 103 1 0 0 0 0.31 11.42
He 18 1 p - - 24.587 -0.52 1 2 0 0 0 0.28 21
Li 1 2 s 0.98 1.45 5.392 0.618 12 1 0 0 0 1.28 13.02
Be 2 2 s 1.57 1.05 9.323 -0.52 77 2 0 0 0 0.96 4.85
B 13 2 p 2.04 0.85 8.298 0.28 86 2 1 0 0 0.84 4.39
C 14 2 p 2.55 0.7 11.26 1.262 95 2 2 0 0 0.73 5.29
N 15 2 p 3.04 0.65 14.534 -0.07 100 2 3 0 0 0.71 13.54
O 16 2 p 3.44 0.6 13.618 1.461 101 2 4 0 0 0.66 17.36
F 17 2 p 3.98 0.5 17.423 3.401 102 2 5 0 0 0.57 11.2
Ne 18 2 p - - 21.565 -1.22 2 2 6 0 0 0.58 13.23
Na 1 3 s 0.93 1.8 5.139 0.548 11 1 0 0 0 1.66 23.78
Mg 2 3 s 1.31 1.5 7.646 -0.42 73 2 0 0 0 1.41 14
Al 13 3 p 1.61 1.25 5.986 0.433 80 2 1 0 0 1.21 10
Si 14 3 p 1.9 1.1 8.152 1.39 85 2 2 0 0 1.11 12.06
P 15 3 p 2.19 1 10.487 0.747 90 2 3 0 0 1.07 17.02
S 16 3 p 2.58 1 10.36 2.077 94 2 4 0 0 1.05 15.53
Cl 17 3 p 3.16 1 12.968 3.613 99 2 5 0 0 1.02 17.39
Ar 18 3 p - 0.71 15.76 -1.02 3 2 6 0 0 1.06 22.56
K 1 4 s 0.82 2.2 4.341 0.501 10 1 0 0 0 2.03 45.94
Ca 2 4 s 1 1.8 6.113 0.025 16 2 0 0 0 1.76 26.2
Sc 3 4 d 1.36 1.6 6.561 0.179 19 2 0 1 0 1.7 15
Ti 4 4 d 1.54 1.4 6.828 0.076 51 2 0 2 0 1.6 10.64
V 5 4 d 1.63 1.35 6.746 0.528 54 2 0 3 0 1.53 8.32
Cr 6 4 d 1.66 1.4 6.767 0.676 57 1 0 5 0 1.39 7.23
Mn 7 4 d 1.55 1.4 7.434 -0.52 60 2 0 5 0 1.5 7.35
Fe 8 4 d 1.83 1.4 7.902 0.153 61 2 0 6 0 1.42 7.09
Co 9 4 d 1.88 1.35 7.881 0.662 64 2 0 7 0 1.38 6.67
Ni 10 4 d 1.91 1.35 7.64 1.157 67 2 0 8 0 1.24 6.59
Cu 11 4 d 1.9 1.35 7.726 1.236 72 1 0 10 0 1.32 7.11
Zn 12 4 d 1.65 1.35 9.394 -0.62 76 2 0 10 0 1.22 9.16
Ga 13 4 p 1.81 1.3 5.999 0.301 81 2 1 10 0 1.22 11.8
Ge 14 4 p 2.01 1.25 7.899 1.233 84 2 2 10 0 1.2 13.63
As 15 4 p 2.18 1.15 9.789 0.804 89 2 3 10 0 1.19 12.95
Se 16 4 p 2.55 1.15 9.752 2.021 93 2 4 10 0 1.2 16.42
Br 17 4 p 2.96 1.15 11.814 3.364 98 2 5 10 0 1.2 19.78
Kr 18 4 p 3 - 14 -1.02 4 2 6 10 0 1.16 27.99
Rb 1 5 s 0.82 2.35 4.177 0.486 9 1 0 0 0 2.2 55.76
Sr 2 5 s 0.95 2 5.695 0.052 15 2 0 0 0 1.95 33.94
Y 3 5 d 1.22 1.8 6.217 0.311 25 2 0 1 0 1.9 19.88
Zr 4 5 d 1.33 1.55 6.634 0.433 49 2 0 2 0 1.75 14.02
Nb 5 5 d 1.6 1.45 6.759 0.917 53 1 0 4 0 1.64 10.83
Mo 6 5 d 2.16 1.45 7.092 0.747 56 1 0 5 0 1.54 9.38
Tc 7 5 d 1.9 1.35 7.119 0.552 59 2 0 5 0 1.47 8.63
Ru 8 5 d 2.2 1.3 7.361 1.046 62 1 0 7 0 1.46 8.17
Rh 9 5 d 2.28 1.35 7.459 1.143 65 1 0 8 0 1.42 8.28
Pd 10 5 d 2.2 1.4 8.337 0.562 69 0 0 10 0 1.39 8.56
Ag 11 5 d 1.93 1.6 7.576 1.304 71 1 0 10 0 1.45 10.27
Cd 12 5 d 1.69 1.55 8.994 -0.72 75 2 0 10 0 1.44 13
In 13 5 p 1.78 1.55 5.786 0.384 79 2 1 10 0 1.42 15.76
Sn 14 5 p 1.96 1.45 7.344 1.112 83 2 2 10 0 1.39 16.29
Sb 15 5 p 2.05 1.45 8.608 1.047 88 2 3 10 0 1.39 18.19
Te 16 5 p 2.1 1.4 9.01 1.971 92 2 4 10 0 1.38 20.46
I 17 5 p 2.66 1.4 10.451 3.059 97 2 5 10 0 1.39 25.72
Xe 18 5 p 2.6 - 12.13 -0.82 5 2 6 10 0 1.4 35.92
Cs 1 6 s 0.79 2.6 3.894 0.472 8 1 0 0 0 2.44 70.94
Ba 2 6 s 0.89 2.15 5.212 0.145 14 2 0 0 0 2.15 38.16
La 3 6 f 1.1 1.95 5.577 0.558 33 2 0 1 0 2.07 22.39
Ce 3 6 f 1.12 1.85 5.539 0.6 32 2 0 1 1 2.04 20.69
Pr 3 6 f 1.13 1.85 5.47 0.109 31 2 0 0 3 2.03 20.8
Nd 3 6 f 1.14 1.85 5.525 0.097 30 2 0 0 4 2.01 20.59
Pm 3 6 f 1.13 1.85 5.582 0.129 29 2 0 0 5 1.99 20.23
Sm 3 6 f 1.17 1.85 5.644 0.162 28 2 0 0 6 1.98 19.98
Eu 3 6 f 1.2 1.85 5.67 0.116 18 2 0 0 7 1.98 28.97
Gd 3 6 f 1.2 1.8 6.15 0.212 27 2 0 1 7 1.96 19.9
Tb 3 6 f 1.1 1.75 5.864 0.131 26 2 0 0 9 1.94 19.3
Dy 3 6 f 1.22 1.75 5.939 0.015 24 2 0 0 10 1.92 19.01
Ho 3 6 f 1.23 1.75 6.021 0.338 23 2 0 0 11 1.92 18.74
Er 3 6 f 1.24 1.75 6.108 0.312 22 2 0 0 12 1.89 18.46
Tm 3 6 f 1.25 1.75 6.184 1.029 21 2 0 0 13 1.9 19.1
Yb 3 6 f 1.1 1.75 6.254 -0.02 17 2 0 0 14 1.87 24.84
Lu 3 6 d 1.27 1.75 5.426 0.239 20 2 0 1 14 1.87 17.78
Hf 4 6 d 1.3 1.55 6.825 0.178 50 2 0 2 14 1.75 13.44
Ta 5 6 d 1.5 1.45 7.55 0.329 52 2 0 3 14 1.7 10.85
W 6 6 d 2.36 1.35 7.864 0.817 55 2 0 4 14 1.62 9.47
Re 7 6 d 1.9 1.35 7.834 0.06 58 2 0 5 14 1.51 8.86
Os 8 6 d 2.2 1.3 8.438 1.078 63 2 0 6 14 1.44 8.42
Ir 9 6 d 2.2 1.35 8.967 1.564 66 2 0 7 14 1.41 8.52
Pt 10 6 d 2.28 1.35 8.959 2.125 68 1 0 9 14 1.36 9.09
Au 11 6 d 2.54 1.35 9.226 2.309 70 1 0 10 14 1.36 10.21
Hg 12 6 d 2 1.5 10.438 -0.52 74 2 0 10 14 1.32 14.09
Tl 13 6 p 1.62 1.9 6.108 0.32 78 2 1 10 14 1.45 17.22
Pb 14 6 p 2.33 1.8 7.417 0.357 82 2 2 10 14 1.46 18.26
Bi 15 6 p 2.02 1.6 7.286 0.942 87 2 3 10 14 1.48 21.31
Po 16 6 p 2 1.9 8.418 1.407 91 2 4 10 14 1.4 22.97
At 17 6 p 2.2 - 9.318 2.416 96 2 5 10 14 1.5 -
Rn 18 6 p 2.2 - 10.748 -0.72 6 2 6 10 14 1.5 50.5
Fr 1 7 s 0.7 - 4.073 0.486 7 1 0 0 0 2.6 -
Ra 2 7 s 0.9 2.15 5.278 0.1 13 2 0 0 0 2.21 41.09
Ac 3 7 f 1.1 1.95 5.38 0.35 48 2 0 1 0 2.15 22.55
Th 3 7 f 1.3 1.8 6.307 0.608 47 2 0 2 0 2.06 19.8
Pa 3 7 f 1.5 1.8 5.89 0.55 46 2 0 1 2 2 15.18
U 3 7 f 1.38 1.75 6.194 0.315 45 2 0 1 3 1.96 12.49
Np 3 7 f 1.36 1.75 6.266 0.48 44 2 0 1 4 1.9 11.59
Pu 3 7 f 1.28 1.75 6.026 -0.5 43 2 0 0 6 1.87 12.29
Am 3 7 f 1.3 1.75 5.974 0.1 42 2 0 0 7 1.8 17.63
Cm 3 7 f 1.3 - 5.991 0.28 41 2 0 1 7 1.69 18.05
Bk 3 7 f 1.3 - 6.198 -1.72 40 2 0 0 9 - 16.84
Cf 3 7 f 1.3 - 6.282 -1.01 39 2 0 0 10 - 16.5
Es 3 7 f 1.3 - 6.368 -0.3 38 2 0 0 11 - 28.52
Fm 3 7 f 1.3 - 6.5 0.35 37 2 0 0 12 - -
Md 3 7 f 1.3 - 6.58 0.98 36 2 0 0 13 - -
No 3 7 f 1.3 - 6.626 -2.33 35 2 0 0 14 - -
Lr 3 7 d 1.3 - 4.96 -0.31 34 2 1 0 14 - -
Rf 4 7 d - - 6.02 - - 2 0 2 14 - -
Db 5 7 d - - 6.8 - - - - - - - -
Sg 6 7 d - - 7.8 - - - - - - - -
Bh 7 7 d - - 7.7 - - - - - - - -
Hs 8 7 d - - 7.6 - - - - - - - -
Mt 9 7 d - - - - - - - - - - -
Ds 10 7 d - - - - - - - - - - -
Rg 11 7 d - - - 1.565 - - - - - - -
Cn 12 7 d - - - - - - - - - - -
Nh 13 7 p - - - 0.69 - - - - - - -
Fl 14 7 p - - - - - - - - - - -
Mc 15 7 p - - - 0.366 - - - - - - -
Lv 16 7 p - - - 0.776 - - - - - - -
Ts 17 7 p - - - 1.719 - - - - - - -
Og 18 7 p - - - 0.081 - - - - - - -
"""


def element_properties() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the table as it stands, NaN where a value is not known.

    Returns:
        (118, 3) group, period and index into `BLOCKS`, and (118, 11) `PROPERTIES`; row Z - 1 is element Z.
    """
    rows = [line.split() for line in _TABLE.strip().splitlines()]
    position = [(int(row[1]), int(row[2]), BLOCKS.index(row[3])) for row in rows]
    values = [[np.nan if cell == "-" else float(cell) for cell in row[4:]] for row in rows]
    return np.array(position), np.array(values)


def fill_from_relatives(position: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replace each NaN by the value of a related element.

    It is the element of the same group and block that is nearest in atomic number (the lighter of two), or, where the
    whole group lacks the value, of the same block.

    Args:
        position: (118, 3) as `element_properties` returns it.
        values: (118, n) properties.

    Returns:
        (118, n) without NaN, if each block knows each property.
    """
    filled = values.copy()
    atomic_number = np.arange(len(values))
    for element, column in np.argwhere(np.isnan(values)):
        same_block = position[:, 2] == position[element, 2]
        same_group = same_block & (position[:, 0] == position[element, 0])
        known = ~np.isnan(values[:, column])
        donors = np.flatnonzero(same_group & known)
        if len(donors) == 0:
            donors = np.flatnonzero(same_block & known)
        distance = np.abs(atomic_number[donors] - element)
        filled[element, column] = values[donors[distance.argmin()], column]
    return filled
