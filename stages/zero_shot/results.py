"""The results of zero-shot evaluation in the shape in which they are written."""

from collections.abc import Iterator, Mapping

from stages.shared.params import ZeroShotParams
from stages.zero_shot.galleries import WHOLE
from stages.zero_shot.question_scores import Metrics
from stages.zero_shot.retrieval import Ranks
from stages.zero_shot.retrieval_scores import retrieval_metrics

RETRIEVAL_COLUMNS = ("k", "text_to_crystal", "crystal_to_text", "chance")
QUESTION_COLUMNS = (
    "question",
    "n",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "text_only_accuracy",
    "text_only_accuracy_low",
    "text_only_accuracy_high",
    "chance",
)

DirectionMetrics = dict[str, float | int | Metrics | None]


def gallery_metrics(
    ranks: Mapping[str, Mapping[str, Ranks | None]], params: ZeroShotParams
) -> dict[str, DirectionMetrics]:
    """Return by direction the scores on the whole gallery and, under `pool_<size>`, those of the pools."""
    metrics: dict[str, DirectionMetrics] = {}
    for direction, by_pool in ranks.items():
        scores = {pool: retrieval_metrics(one, params.bootstrap_samples, params.seed) for pool, one in by_pool.items()}
        metrics[direction] = {**scores.pop(WHOLE), **scores}
    return metrics


def question_rows(metrics: Mapping[str, Metrics]) -> Iterator[list[object]]:
    """Yield one row of `QUESTION_COLUMNS` per kind of question."""
    for kind, scores in metrics.items():
        yield [kind, *(scores[name] for name in QUESTION_COLUMNS[1:])]
