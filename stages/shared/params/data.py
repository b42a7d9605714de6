"""The sections of the stages that gather, describe and prepare the crystals."""

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from stages.shared.params.section import Count, CrystalSystem, NonNegativeFloat, Positive, PositiveFloat, Section


class MaterialsProjectFetchParams(Section):
    """Which part of the Materials Project is downloaded."""

    elements: list[str]
    n_atoms: Annotated[list[Positive], Field(min_length=2, max_length=2)]
    max_energy_above_hull: NonNegativeFloat | None
    required: list[Literal["electron_dos", "phonon_dos", "elasticity"]]
    spectra: list[Literal["electron_dos", "phonon_dos"]]

    @model_validator(mode="after")
    def _is_a_range(self) -> "MaterialsProjectFetchParams":
        if self.n_atoms[0] > self.n_atoms[1]:
            raise ValueError(f"n_atoms {self.n_atoms} must name the smaller number first")
        return self


class JarvisFetchParams(Section):
    """Which data sets of JARVIS are downloaded."""

    datasets: Annotated[
        list[Literal["dft_3d", "dft_3d_2021", "megnet", "megnet_bulk", "megnet_shear", "edos_pdos"]],
        Field(min_length=1),
    ]

    @model_validator(mode="after")
    def _holds_one_edition(self) -> "JarvisFetchParams":
        if {"dft_3d", "dft_3d_2021"} <= set(self.datasets):
            raise ValueError("datasets must not name two editions of dft_3d, which share their ids")
        if len({"megnet", "megnet_bulk", "megnet_shear"} & set(self.datasets)) > 1:
            raise ValueError("datasets must not name two of megnet, megnet_bulk and megnet_shear: they share ids")
        return self


class NarrativesFetchParams(Section):
    """Which part of GPT-Narratives-for-Materials is downloaded."""

    corpora: Annotated[list[Literal["mp_3d_2020", "dft_3d", "oqmd", "aflow2"]], Field(min_length=1)]
    revision: Annotated[str, Field(min_length=1)]


class PhononTutorialFetchParams(Section):
    """Which version of the phonon tutorial is downloaded."""

    revision: Annotated[str, Field(pattern=r"^[\w.-]+$")]


class OwnFetchParams(Section):
    """Where your own files are."""

    directory: Annotated[str, Field(min_length=1)]


class FetchSourcesParams(Section):
    """Which sources there are crystals from."""

    materials_project: bool
    jarvis: bool
    narratives: bool
    phonon_tutorial: bool
    own: bool


class FetchParams(Section):
    """Where the raw records come from."""

    mode: Literal["sample", "remote"]
    sample_directory: str
    sources: FetchSourcesParams
    materials_project: MaterialsProjectFetchParams
    jarvis: JarvisFetchParams
    narratives: NarrativesFetchParams
    phonon_tutorial: PhononTutorialFetchParams
    own: OwnFetchParams


class SplitParams(Section):
    """How crystals are put into train, val and test; the last four are each for the scheme they speak of."""

    scheme: Literal[
        "formula",
        "random",
        "crystal_system",
        "species_count",
        "element_balanced",
        "file",
        "phonon_tutorial",
        "target_set",
    ]
    seed: int
    train: Annotated[float, Field(gt=0, lt=1)]
    val: Annotated[float, Field(ge=0, lt=1)]
    test_crystal_systems: Annotated[list[CrystalSystem], Field(min_length=1)]
    seen_species_counts: Annotated[list[Positive], Field(min_length=1)]
    directory: str
    target_set: Literal[
        "jarvis__megnet",
        "jarvis__megnet-bulk",
        "jarvis__megnet-shear",
        "jarvis__dft_3d_2021",
        "jarvis__dft_3d_2021-mbj_bandgap",
        "jarvis__dft_3d_2021-ehull",
    ]

    @model_validator(mode="after")
    def _leaves_a_test_split(self) -> "SplitParams":
        if self.train + self.val >= 1:
            raise ValueError("train + val must leave something for the test split")
        return self

    @model_validator(mode="after")
    def _leaves_crystals_to_train_on(self) -> "SplitParams":
        if set(self.test_crystal_systems) == set(get_args(CrystalSystem)):
            raise ValueError("test_crystal_systems must leave a crystal system to train on")
        return self


class GenerateCifParams(Section):
    """From raw records to the table of crystals."""

    symmetry_tolerance: PositiveFloat
    max_atoms: Positive
    chunk_size: Positive
    split: SplitParams


class DescribeParams(Section):
    """Robocrystallographer descriptions, and paragraphs of papers."""

    papers_directory: str
    chunk_size: Positive


class BuildGraphsParams(Section):
    """Periodic neighbour lists."""

    cutoff: PositiveFloat
    max_neighbors: Count
    selection: Literal["whole_shells", "exactly"]
    chunk_size: Positive
