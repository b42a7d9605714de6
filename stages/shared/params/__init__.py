"""The typed, strict reader of params.yaml: one class for each of its sections, by theme, and `load_params`."""

from stages.shared.params.commands import ActiveParams, ObjectiveParams, TransferParams, WindowParams
from stages.shared.params.data import (
    FetchParams,
    GenerateCifParams,
    JarvisFetchParams,
    MaterialsProjectFetchParams,
    NarrativesFetchParams,
    OwnFetchParams,
    PhononTutorialFetchParams,
    SplitParams,
)
from stages.shared.params.dos import DosKindParams, DosParams
from stages.shared.params.evaluation import EvaluateParams, ZeroShotParams
from stages.shared.params.load import Params, load_params
from stages.shared.params.networks import (
    CGCNNParams,
    CrystalformerParams,
    EncoderParams,
    PaiNNParams,
    TextEncoderParams,
)
from stages.shared.params.section import CrystalSystem
from stages.shared.params.training import FusionParams, PretrainParams, TargetParams, TrainingParams

__all__ = [
    "ActiveParams",
    "CGCNNParams",
    "CrystalSystem",
    "CrystalformerParams",
    "DosKindParams",
    "DosParams",
    "EncoderParams",
    "EvaluateParams",
    "FetchParams",
    "FusionParams",
    "GenerateCifParams",
    "JarvisFetchParams",
    "MaterialsProjectFetchParams",
    "NarrativesFetchParams",
    "ObjectiveParams",
    "OwnFetchParams",
    "PaiNNParams",
    "Params",
    "PhononTutorialFetchParams",
    "PretrainParams",
    "SplitParams",
    "TargetParams",
    "TextEncoderParams",
    "TrainingParams",
    "TransferParams",
    "WindowParams",
    "ZeroShotParams",
    "load_params",
]
