from tuneatlas.engine.step import step
from tuneatlas.plots import draw_figures
from tuneatlas.statistics.metrics import write_metrics
from tuneatlas.studies.knowledge.checkpoint_figures import FIGURES
from tuneatlas.studies.knowledge.checkpoints import (
    COMPARED,
    CheckpointOptions,
    compare_checkpoints,
    notes_on,
)
from tuneatlas.tables import ANSWERS, QUESTIONS

with step(snakemake) as this:
    told, overlap = snakemake.params.told, snakemake.params.overlap
    names = [entry["checkpoint"] for entry in told]
    metrics = compare_checkpoints(
        [row for path in this.paths("base") for row in ANSWERS.read(path, COMPARED)],
        {n: ANSWERS.read(p, COMPARED) for n, p in zip(names, this.paths("few_shot"), strict=True)},
        {n: ANSWERS.read(p, COMPARED) for n, p in zip(names, this.paths("chat"), strict=True)},
        CheckpointOptions(**this.options),
        this.seed,
    )
    questions = [row for path in this.paths("questions") for row in QUESTIONS.read(path)]
    given = this.paths("models"), this.paths("trained_on")
    metrics["checkpoints"] = notes_on(told, *given, questions, overlap)
    write_metrics(metrics, this.outputs["folder"])
    draw_figures(metrics, this.outputs["folder"] / "figures", FIGURES)
