"""What the composition says in words: element names and the class of the anion."""

ANION_CLASSES = {
    "oxide": "This material is an oxide.",
    "halide": "This material is a halide.",
    "chalcogenide": "This material is a chalcogenide.",
    "pnictide": "This material is a pnictide.",
    "other": "This material is an intermetallic, an element, a hydride, a boride, a carbide or a silicide.",
}
"""The statement that stands for each class in a question."""

_CLASS_OF_GROUP = {15: "pnictide", 16: "chalcogenide", 17: "halide"}


def element_set(formula: str) -> frozenset[str]:
    """Return the symbols of the elements of a formula."""
    from pymatgen.core import Composition

    return frozenset(element.symbol for element in Composition(formula).elements)


def composition_statement(symbols: frozenset[str]) -> str:
    """Name the elements in alphabetical order, as in `This material contains cadmium and silver.`."""
    from pymatgen.core import Element

    names = sorted(Element(symbol).long_name.lower() for symbol in symbols)
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"This material contains {listed}."


def anion_class(symbols: frozenset[str]) -> str:
    """Return the class of a compound by its most electronegative element of groups 15 to 17.

    Metals do not count, although some are more electronegative (Pauling) than tellurium or antimony: WTe₂ is
    a chalcogenide. An element by itself, and a compound without any of groups 15 to 17, is `other`.
    """
    from pymatgen.core import Element

    anions = [Element(symbol) for symbol in sorted(symbols) if Element(symbol).group in _CLASS_OF_GROUP]
    if len(symbols) == 1 or not anions:
        return "other"
    anion = max(anions, key=lambda element: element.X)
    return "oxide" if anion.symbol == "O" else _CLASS_OF_GROUP[anion.group]
