"""The whole of params.yaml, checked before any work; what is wrong is said in one sentence."""

import difflib
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from stages.shared.errors import StageError
from stages.shared.params.commands import ActiveParams, TransferParams, UncertaintyParams
from stages.shared.params.data import BuildGraphsParams, DescribeParams, FetchParams, GenerateCifParams
from stages.shared.params.dos import DosKindParams, DosParams
from stages.shared.params.evaluation import EvaluateParams, ZeroShotParams
from stages.shared.params.networks import EncoderParams, TextEncoderParams
from stages.shared.params.section import Section
from stages.shared.params.training import FusionParams, PretrainParams, TargetParams
from stages.shared.params.yaml12 import Yaml12Loader


class Params(Section):
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
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=Yaml12Loader)  # noqa: S506
        params = Params.model_validate(raw)
    except FileNotFoundError:
        raise StageError(f"{path} is missing; run the stage from the root of the repository") from None
    except yaml.YAMLError as error:
        raise StageError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise StageError(f"{path}: {_explain(error)}") from None
    return Params.model_construct(**{name: getattr(params, name) for name in sections})


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
