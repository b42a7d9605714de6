"""A split in which every element, the rare ones too, has its share in train, val and test."""

import re
from collections import Counter
from collections.abc import Sequence

from stages.shared.schemas import SPLITS


def elements_of(formula: str) -> frozenset[str]:
    """Return the symbols of the elements in a formula."""
    return frozenset(re.findall(r"[A-Z][a-z]?", formula))


def balance_elements(formulas: Sequence[str], train: float, val: float) -> dict[str, str]:
    """Return the split of every formula, so that each element's formulas are spread in the wanted shares.

    Iterative stratification: the element with the fewest formulas left is served first; each of them goes to the split
    that lacks most of this element, or, if several do, most formulas altogether. The rarest element is less than one
    formula off its shares; what others are off by then, their own later formulas mend.

    Sechidis, Tsoumakas, Vlahavas, *On the Stratification of Multi-label Data*, ECML PKDD 2011,
    doi 10.1007/978-3-642-23808-6_10. Chen et al., *Direct Prediction of Phonon Density of States With Euclidean Neural
    Networks*, Adv. Sci. 8, 2004214 (2021), doi 10.1002/advs.202004214, also go from the rarest element to the
    commonest, but split the materials of each at random, and materials rather than formulas.

    Adding a crystal of a new formula can move others: whether an element has its share in a split depends on all
    formulas that hold it. Keep the table of crystals, or use another scheme, to compare results while the corpus grows.

    Args:
        formulas: all different, in an order that does not depend on the table; it decides who is served first.
        train: fraction of the formulas for training.
        val: fraction of the formulas for validation.
    """
    shares = {"train": train, "val": val, "test": 1.0 - train - val}
    elements = {formula: elements_of(formula) for formula in formulas}
    left = Counter(element for symbols in elements.values() for element in symbols)
    lacking = {split: {element: share * n for element, n in left.items()} for split, share in shares.items()}
    lacking_formulas = {split: share * len(elements) for split, share in shares.items()}
    waiting: dict[str, list[str]] = {element: [] for element in left}
    for formula, symbols in elements.items():
        for element in symbols:
            waiting[element].append(formula)

    splits: dict[str, str] = {}
    while left:
        rarest = min(left, key=lambda element: (left[element], element))
        for formula in waiting[rarest]:
            if formula in splits:
                continue
            split = max(SPLITS, key=lambda name: (lacking[name][rarest], lacking_formulas[name]))
            splits[formula] = split
            lacking_formulas[split] -= 1
            for element in elements[formula]:
                lacking[split][element] -= 1
                left[element] -= 1
        left = +left  # elements without a formula left are done
    return splits
