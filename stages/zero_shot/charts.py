"""The figures of zero-shot evaluation: retrieval against k, and accuracy on the questions."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from stages.shared.figures import BLACK, BLUE, GREY, ORANGE, drawing, write_message
from stages.zero_shot.question_scores import Metrics


def draw_retrieval(path: Path, curve: Sequence[Sequence[float]], n: int) -> None:
    """Draw the top-k accuracy of both directions and of chance against k.

    Args:
        path: the PNG to write.
        curve: rows of k, text to crystal, crystal to text, chance.
        n: size of the gallery.
    """
    with drawing(path, 6.4, 4.2) as figure:
        axes = figure.subplots()
        if not curve:
            write_message(axes, "No test crystal has both a graph and a text.")
            return
        k, text_to_crystal, crystal_to_text, chance = zip(*curve, strict=True)
        axes.plot(k, text_to_crystal, "o-", markersize=4, color=BLUE, label="text → crystal")
        axes.plot(k, crystal_to_text, "s-", markersize=4, color=ORANGE, label="crystal → text")
        axes.plot(k, chance, "--", color=GREY, label="chance")
        axes.set(xlabel="k", ylabel="right answer among the first k", ylim=(0.0, 1.03), xlim=(0.0, max(k) + 1))
        axes.set_title(f"Retrieval among all {n} test crystals")
        axes.legend(loc="lower right")


def draw_questions(path: Path, metrics: Mapping[str, Metrics]) -> None:
    """Draw the accuracy of the model and of the text-only scorer with 95 % intervals, and chance.

    Args:
        path: the PNG to write.
        metrics: by kind of question, as `question_metrics` gives them.
    """
    with drawing(path, 6.4, 3.4) as figure:
        axes = figure.subplots()
        asked = [kind for kind, scores in metrics.items() if scores["n"]]
        if not asked:
            write_message(axes, "No question could be asked.")
            return
        for place, kind in enumerate(reversed(asked)):
            scores = metrics[kind]
            for name, color, marker, offset in (
                ("accuracy", BLUE, "o", 0.13),
                ("text_only_accuracy", ORANGE, "s", -0.13),
            ):
                low, middle, high = (float(scores[key] or 0.0) for key in (f"{name}_low", name, f"{name}_high"))
                axes.plot([low, high], [place + offset] * 2, color=color, linewidth=2.2, alpha=0.45)
                axes.plot(middle, place + offset, marker, color=color, markersize=7)
            axes.plot([float(scores["chance"] or 0.0)] * 2, [place - 0.32, place + 0.32], color=BLACK, linewidth=1.4)
        labels = [f"{kind.replace('_', ' ')}\nn = {metrics[kind]['n']}" for kind in reversed(asked)]
        axes.set_yticks(range(len(asked)), labels)
        axes.set(xlabel="accuracy", xlim=(0.0, 1.03), ylim=(-0.6, len(asked) - 0.4))
        axes.grid(visible=False, axis="y")
        handles = [
            axes.plot([], [], "o", color=BLUE, label="model")[0],
            axes.plot([], [], "s", color=ORANGE, label="text-only scorer")[0],
            axes.plot([], [], "|", color=BLACK, markersize=12, label="chance")[0],
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=3)
