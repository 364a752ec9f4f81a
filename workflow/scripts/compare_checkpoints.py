from tuneatlas.engine.step import step
from tuneatlas.plots import draw_figures
from tuneatlas.statistics.metrics import write_metrics
from tuneatlas.studies.knowledge.checkpoint_figures import FIGURES
from tuneatlas.studies.knowledge.checkpoints import (
    COMPARED,
    CheckpointOptions,
    by_checkpoint,
    categories_of,
    compare_checkpoints,
    notes_on,
)
from tuneatlas.tables import ANSWERS, KNOWLEDGE, QUESTIONS

with step(snakemake) as this:
    told, overlap = snakemake.params.told, snakemake.params.overlap
    base = [row for path in this.paths("base") for row in ANSWERS.read(path, COMPARED)]
    few_shot, chat = (by_checkpoint(told, this.paths(form)) for form in ("few_shot", "chat"))
    known = categories_of(row for path in this.paths("categories") for row in KNOWLEDGE.read(path))
    options = CheckpointOptions(**this.options)
    metrics = compare_checkpoints(base, few_shot, chat, options, this.seed, known)
    questions = [row for path in this.paths("questions") for row in QUESTIONS.read(path)]
    given = this.paths("models"), this.paths("trained_on")
    metrics["checkpoints"] = notes_on(told, *given, questions, overlap)
    write_metrics(metrics, this.outputs["folder"])
    draw_figures(metrics, this.outputs["folder"] / "figures", FIGURES)
