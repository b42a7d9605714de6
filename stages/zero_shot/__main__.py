"""`python -m stages.zero_shot`: retrieval and multiple choice with the pretrained towers."""

from pathlib import Path

from stages.shared.embeddings import EMBEDDINGS
from stages.shared.errors import run_stage
from stages.shared.graphs import read_inputs
from stages.shared.params import load_params
from stages.shared.progress import say
from stages.shared.runtime import use_reproducible_kernels
from stages.shared.scratch import scratch_folder
from stages.shared.tables import read_table, write_table
from stages.shared.text_files import write_csv, write_json
from stages.shared.towers import embed_crystals, embed_texts, load_contrastive_model
from stages.zero_shot.charts import draw_questions, draw_retrieval
from stages.zero_shot.galleries import GALLERIES, ZERO_SHOT_SCHEMA, build_gallery, rank_queries, ranks_table
from stages.zero_shot.multiple_choice import ask
from stages.zero_shot.results import QUESTION_COLUMNS, RETRIEVAL_COLUMNS, gallery_metrics, question_rows
from stages.zero_shot.retrieval_scores import retrieval_curve


def main() -> None:
    """Embed the test split once and put every question to it."""
    loaded = load_params("zero_shot")
    params = loaded.zero_shot
    use_reproducible_kernels()
    columns = ["material_id", "formula", "crystal_system", "questions", "fingerprint", "split"]
    crystals = read_table(Path("data/crystals.parquet"), columns).to_pandas()
    narratives = read_table(Path("data/narratives.parquet")).to_pandas()
    towers = load_contrastive_model(Path("data/weights/pretrain"))
    with scratch_folder("zero_shot", loaded, [Path("data") / name for name in ("graphs", EMBEDDINGS)]) as scratch:
        graphs = read_inputs(Path("data"), ["test"], towers.encoder, scratch)
        say(f"embed {len(graphs)} test crystals and their texts")
        embeddings = embed_crystals(towers, graphs)
    test = crystals.set_index("material_id").loc[graphs.material_ids.to_pylist()].reset_index()

    galleries = {name: build_gallery(test, narratives, views) for name, views in GALLERIES.items()}
    ranks = {}
    for name, gallery in galleries.items():
        pool_sizes = params.pool_sizes if name == "main" else []
        texts = embed_texts(towers, gallery.texts)
        ranks[name] = rank_queries(embeddings[gallery.rows], texts, gallery.groups, pool_sizes, params.seed)
    train = crystals[crystals["split"] == "train"]
    questions = ask(train, test, embeddings, lambda texts: embed_texts(towers, texts), params)

    metrics = {name: gallery_metrics(one, params) for name, one in ranks.items()}
    write_json(Path("metrics/zero_shot.json"), metrics | {"questions": questions})
    write_table(Path("data/predictions/zero_shot.parquet"), ranks_table(test, galleries, ranks), ZERO_SHOT_SCHEMA)
    curve = retrieval_curve(ranks["main"])
    write_csv(Path("plots/zero_shot/retrieval.csv"), RETRIEVAL_COLUMNS, curve)
    draw_retrieval(Path("plots/zero_shot/retrieval.png"), curve, len(galleries["main"].texts))
    write_csv(Path("plots/zero_shot/questions.csv"), QUESTION_COLUMNS, question_rows(questions))
    draw_questions(Path("plots/zero_shot/questions.png"), questions)


if __name__ == "__main__":
    run_stage(main)
