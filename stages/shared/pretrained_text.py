"""Pretrained language models from a folder or the Hugging Face hub: safetensors only, never remote code."""

from typing import TYPE_CHECKING, Any

from stages.shared.errors import StageError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def load_language_model(model: str, revision: str | None) -> "PreTrainedModel":
    """Return a pretrained encoder without its head.

    Args:
        model: folder or hub name.
        revision: commit of the hub model, so that it stays the same; None for a folder.

    Raises:
        StageError: the model is not within reach or has no safetensors weights.
    """
    from transformers import AutoModel

    return _load(AutoModel, model, revision, use_safetensors=True)


def load_tokenizer(model: str, revision: str | None) -> Any:
    """Return the tokenizer of a pretrained model; arguments and errors as in `load_language_model`."""
    from transformers import AutoTokenizer

    return _load(AutoTokenizer, model, revision)


def _load(loader: Any, model: str, revision: str | None, **options: bool) -> Any:
    try:
        return loader.from_pretrained(model, revision=revision or "main", trust_remote_code=False, **options)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise StageError(
            f"text_encoder.model '{model}' cannot be loaded; name a folder or a hub model with safetensors weights "
            f"and a tokenizer ({reason})"
        ) from None
