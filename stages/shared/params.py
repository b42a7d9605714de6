"""The typed, strict reader of params.yaml.

DVC reads the file as YAML 1.2, in which `1e-3` is a number and `on` is a word. PyYAML follows YAML 1.1, so the loader
here overrides its rules; otherwise DVC would hash one value and the code would use another.
"""

import difflib
import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stages.shared.errors import StageError

Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False)]
FiniteFloat = Annotated[float, Field(allow_inf_nan=False)]
Probability = Annotated[float, Field(ge=0, lt=1)]
CrystalSystem = Literal["cubic", "hexagonal", "tetragonal", "trigonal", "orthorhombic", "monoclinic", "triclinic"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class MaterialsProjectFetchParams(_Section):
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


class JarvisFetchParams(_Section):
    """Which data sets of JARVIS are downloaded."""

    datasets: Annotated[list[Literal["dft_3d", "dft_3d_2021", "megnet", "edos_pdos"]], Field(min_length=1)]

    @model_validator(mode="after")
    def _holds_one_edition(self) -> "JarvisFetchParams":
        if {"dft_3d", "dft_3d_2021"} <= set(self.datasets):
            raise ValueError("datasets must not name two editions of dft_3d, which share their ids")
        return self


class NarrativesFetchParams(_Section):
    """Which part of GPT-Narratives-for-Materials is downloaded."""

    corpora: Annotated[list[Literal["mp_3d_2020", "dft_3d", "oqmd", "aflow2"]], Field(min_length=1)]
    revision: Annotated[str, Field(min_length=1)]


class PhononTutorialFetchParams(_Section):
    """Which version of the phonon tutorial is downloaded."""

    revision: Annotated[str, Field(pattern=r"^[\w.-]+$")]


class OwnFetchParams(_Section):
    """Where your own files are."""

    directory: Annotated[str, Field(min_length=1)]


class FetchSourcesParams(_Section):
    """Which sources there are crystals from."""

    materials_project: bool
    jarvis: bool
    narratives: bool
    phonon_tutorial: bool
    own: bool


class FetchParams(_Section):
    """Where the raw records come from."""

    mode: Literal["sample", "remote"]
    sample_directory: str
    sources: FetchSourcesParams
    materials_project: MaterialsProjectFetchParams
    jarvis: JarvisFetchParams
    narratives: NarrativesFetchParams
    phonon_tutorial: PhononTutorialFetchParams
    own: OwnFetchParams


class SplitParams(_Section):
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
        "jarvis__megnet", "jarvis__dft_3d_2021", "jarvis__dft_3d_2021-mbj_bandgap", "jarvis__dft_3d_2021-ehull"
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


class GenerateCifParams(_Section):
    """From raw records to the table of crystals."""

    symmetry_tolerance: PositiveFloat
    max_atoms: Positive
    chunk_size: Positive
    split: SplitParams


class DescribeParams(_Section):
    """Robocrystallographer descriptions, and paragraphs of papers."""

    papers_directory: str
    chunk_size: Positive


class BuildGraphsParams(_Section):
    """Periodic neighbour lists."""

    cutoff: PositiveFloat
    max_neighbors: Count
    selection: Literal["whole_shells", "exactly"]
    chunk_size: Positive


class PaiNNParams(_Section):
    """PaiNN and CLaC's variant of it."""

    n_interactions: Positive
    n_radial: Positive
    variant: Literal["paper", "clac"]
    element_features: Literal["learned", "one_hot"]


class CGCNNParams(_Section):
    """The crystal graph convolutional network and CLaC's variant of it."""

    n_convolutions: Positive
    n_radial: Annotated[int, Field(gt=1)]
    variant: Literal["paper", "clac"]
    element_features: Literal["learned", "one_hot"]


class CrystalformerParams(_Section):
    """Infinitely connected attention."""

    n_blocks: Positive
    n_heads: Positive
    feed_forward_dim: Positive
    domain: Literal["real", "reciprocal", "multihead", "alternating"]
    value_encoding: Literal["none", "distance", "angular"]
    n_radial: Positive
    real_scale: PositiveFloat
    reciprocal_scale: PositiveFloat
    gauss_lower_bound: Annotated[float, Field(gt=0, lt=1)]
    image_tolerance: Annotated[float, Field(gt=0, lt=1)]
    normalization: Literal["none", "post"]
    dropout: Probability


class PrecomputedParams(_Section):
    """Embeddings that another model has made."""

    model: Literal["chgnet", "orb", "equiformer_v2", "files"]
    directory: str


class EncoderParams(_Section):
    """The graph tower: its name, what all have in common, and one subsection for each."""

    name: Literal["painn", "cgcnn", "crystalformer", "precomputed"]
    dim: Positive
    pooling: Literal["mean", "sum"]
    painn: PaiNNParams
    cgcnn: CGCNNParams
    crystalformer: CrystalformerParams
    precomputed: PrecomputedParams

    @model_validator(mode="after")
    def _is_consistent(self) -> "EncoderParams":
        if self.name == "crystalformer":
            _require_divisible(self.dim, self.crystalformer.n_heads)
            if self.crystalformer.domain == "multihead" and self.crystalformer.n_heads % 2:
                raise ValueError("crystalformer.domain multihead needs an even number of heads")
        return self


class TextEncoderParams(_Section):
    """The text tower."""

    name: Literal["byte_transformer", "huggingface"]
    model: str
    revision: str | None
    dim: Positive
    n_layers: Positive
    n_heads: Positive
    byte_dim: Positive
    max_words: Positive
    max_bytes: Positive
    dropout: Probability

    @model_validator(mode="after")
    def _is_consistent(self) -> "TextEncoderParams":
        _require_divisible(self.dim, self.n_heads)
        if self.name == "huggingface" and not self.model:
            raise ValueError("name huggingface needs a model, a folder or a hub name")
        return self


class TrainingParams(_Section):
    """What every training run has in common."""

    seed: int
    epochs: Positive
    batch_size: Positive
    learning_rate: PositiveFloat
    schedule: Literal["cosine", "inverse_sqrt", "constant"]
    warmup_epochs: Count
    schedule_steps: Positive
    adam_betas: Annotated[list[Probability], Field(min_length=2, max_length=2)]
    weight_decay: NonNegativeFloat
    decay: Literal["matrices", "all_but_bias", "all"]
    gradient_clip: NonNegativeFloat
    patience: Count
    swa_epochs: Count

    @model_validator(mode="after")
    def _reaches_the_averaged_epochs(self) -> "TrainingParams":
        if self.swa_epochs >= self.epochs:
            raise ValueError(f"swa_epochs {self.swa_epochs} must be below epochs {self.epochs}")
        if self.swa_epochs and self.patience:
            raise ValueError("patience would stop training before the epochs that swa_epochs averages; set it to 0")
        return self


class PretrainParams(TrainingParams):
    """Contrastive pretraining."""

    texts: Literal["narratives", "papers", "mixed"]
    embedding_dim: Positive
    temperature: Annotated[float, Field(ge=0.01, le=1.0)]
    text_weight: NonNegativeFloat


class TargetParams(_Section):
    """A scalar property to predict, and the words that would give it away."""

    label: str
    unit: str
    mentions: list[str]


class FusionParams(TrainingParams):
    """Structure-text regression."""

    pretrained: bool
    text: Literal["robocrystallographer", "narrative"]
    auxiliary_targets: dict[str, list[str]]
    target_normalization: Literal["standardize", "bias", "scale", "none"]
    mixing: Literal["cross_attention", "concat"]
    dim: Positive
    n_heads: Positive
    dropout: Probability
    structure_dropout: Probability
    text_dropout: Probability
    loss: Literal["l1", "mse", "smooth_l1"]
    fused_weight: PositiveFloat
    structure_weight: PositiveFloat
    text_weight: PositiveFloat

    @model_validator(mode="after")
    def _is_consistent(self) -> "FusionParams":
        _require_divisible(self.dim, self.n_heads)
        if self.structure_dropout + self.text_dropout > 1:
            raise ValueError("structure_dropout + text_dropout must not exceed 1: one of the two always stays")
        return self


class DosKindParams(_Section):
    """The recipe of one kind of density of states: grid, smoothing, scale."""

    minimum: float
    maximum: float
    bins: Annotated[int, Field(gt=1)]
    unit: str
    smoothing_width: PositiveFloat
    smoothing_order: Count
    beyond: Literal["zero", "unknown"]
    states_per_atom: PositiveFloat | None
    normalization: Literal["max", "sum", "none"]

    @model_validator(mode="after")
    def _is_a_grid(self) -> "DosKindParams":
        if self.minimum >= self.maximum:
            raise ValueError("minimum must be below maximum")
        return self


class DosTransformerParams(_Section):
    """What the corrected DOS transformer has for itself."""

    descriptors: bool
    n_heads: Positive
    attention: Literal["projected", "plain"]
    energies: Literal["both", "table", "waves"]


class DosPublishedParams(_Section):
    """What the published DOS transformer has for itself."""

    n_graph_layers: Positive


class DosParams(TrainingParams):
    """The DOS transformer."""

    model: Literal["transformer", "published"]
    global_inputs: list[str]
    dim: Positive
    n_layers: Positive
    dropout: Probability
    transformer: DosTransformerParams
    published: DosPublishedParams
    system_weight: PositiveFloat
    loss: Literal["rmse", "mse", "mae", "wasserstein", "kl"]
    sum_rule_weight: NonNegativeFloat

    @model_validator(mode="after")
    def _learns_the_size(self) -> "DosParams":
        if self.loss in ("wasserstein", "kl") and not self.sum_rule_weight:
            raise ValueError(
                f"loss {self.loss} compares shapes only; set sum_rule_weight above 0 to learn the size too"
            )
        return self

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> "DosParams":
        if self.model == "transformer" and self.transformer.attention == "projected":
            _require_divisible(self.dim, self.transformer.n_heads)
        return self


class TransferParams(_Section):
    """Learning curves with and without pretraining, and a crystal system learned from a few crystals."""

    seeds: Positive
    label_shares: Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1)]
    steps: Positive
    batch_size: Positive
    pretraining_epochs: Positive
    masked_share: Probability
    noise: PositiveFloat
    new_system: CrystalSystem
    shots: Positive
    shot_epochs: Positive


class UncertaintyParams(_Section):
    """How sure the DOS transformer is."""

    members: Annotated[int, Field(gt=1)]
    dropout_passes: Annotated[int, Field(gt=1)]


class WindowParams(_Section):
    """The values of a property that a campaign looks for; a side that is null is open."""

    property: str
    low: FiniteFloat | None
    high: FiniteFloat | None

    @model_validator(mode="after")
    def _is_a_window(self) -> "WindowParams":
        if self.low is None and self.high is None:
            raise ValueError("a window needs low or high")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError("low must be below high")
        return self


class ObjectiveParams(_Section):
    """What a campaign looks for: crystals with all their properties in the windows."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    windows: Annotated[list[WindowParams], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_a_property_once(self) -> "ObjectiveParams":
        if len({window.property for window in self.windows}) < len(self.windows):
            raise ValueError("a property has one window")
        return self


class ActiveParams(_Section):
    """The simulated campaigns of active learning."""

    seed: int
    campaigns: Positive
    initial_labels: Positive
    batch_size: Positive
    rounds: Positive
    max_labels: Positive
    acquisitions: Annotated[
        list[Literal["probability", "expected_improvement", "upper_confidence_bound"]], Field(min_length=1)
    ]
    kappa: NonNegativeFloat
    diversity: NonNegativeFloat
    objectives: Annotated[list[ObjectiveParams], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_once(self) -> "ActiveParams":
        names = [objective.name for objective in self.objectives]
        if len(set(names)) < len(names) or len(set(self.acquisitions)) < len(self.acquisitions):
            raise ValueError("objectives and acquisitions are each named once")
        return self


class ZeroShotParams(_Section):
    """Retrieval and multiple choice with the pretrained towers."""

    seed: int
    pool_sizes: list[Annotated[int, Field(gt=1)]]
    bootstrap_samples: Positive
    composition_options: Annotated[int, Field(gt=1)]


class EvaluateParams(_Section):
    """Metrics and baselines."""

    seed: int
    forest_trees: Positive
    bootstrap_samples: Positive
    temperature: PositiveFloat
    zero_threshold: Annotated[float, Field(gt=0, lt=1)]


class Params(_Section):
    """The whole of params.yaml."""

    fetch: FetchParams
    generate_cif: GenerateCifParams
    describe: DescribeParams
    build_graphs: BuildGraphsParams
    encoder: EncoderParams
    text_encoder: TextEncoderParams
    pretrain: PretrainParams
    targets: dict[str, TargetParams]
    fusion: FusionParams
    dos_kinds: dict[str, DosKindParams]
    dos: DosParams
    zero_shot: ZeroShotParams
    evaluate: EvaluateParams
    transfer: TransferParams
    uncertainty: UncertaintyParams
    active: ActiveParams


def load_params(*sections: str, path: Path = Path("params.yaml")) -> Params:
    """Check the whole of params.yaml and return the named sections of it.

    Reading a section that was not named raises an `AttributeError`: a stage can only depend on what it declares.

    Raises:
        StageError: the file is missing or not YAML, a key is unknown or missing, or a value is not allowed.
    """
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_Yaml12Loader)  # noqa: S506
        params = Params.model_validate(raw)
    except FileNotFoundError:
        raise StageError(f"{path} is missing; run the stage from the root of the repository") from None
    except yaml.YAMLError as error:
        raise StageError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise StageError(f"{path}: {_explain(error)}") from None
    return Params.model_construct(**{name: getattr(params, name) for name in sections})


def _require_divisible(width: int, n_heads: int) -> None:
    if width % n_heads:
        raise ValueError(f"dim {width} must be a multiple of n_heads {n_heads}")


def _explain(error: ValidationError) -> str:
    """Say in one sentence what is wrong with the first offending key."""
    problems = error.errors(include_url=False)
    problem = min(problems, key=lambda one: one["type"] != "extra_forbidden")  # a misspelt key first
    place = [str(part) for part in problem["loc"]]
    key = ".".join(place) or "the file"
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place[-1], _known_keys(place[:-1]), n=1, cutoff=0.0)
        return f"{key} is unknown; did you mean {'.'.join([*place[:-1], *near])}?"
    if problem["type"] == "missing":
        return f"{key} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    value = problem["input"]
    shown = f" is {value!r}" if not isinstance(value, dict) else ""
    return f"{key}{shown}: {message[0].lower()}{message[1:]}"


def _known_keys(place: list[str]) -> list[str]:
    """Return the valid names at a place of the tree of sections, none where the names are free."""
    model: Any = Params
    for part in place:
        named_freely = get_origin(model) in (dict, list)
        model = get_args(model)[-1] if named_freely else model.model_fields[part].annotation
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


class _Yaml12Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2 (core schema), as DVC reads them."""


_Yaml12Loader.yaml_implicit_resolvers = {}

for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),  # DVC writes a null as nothing at all
):
    _Yaml12Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)
