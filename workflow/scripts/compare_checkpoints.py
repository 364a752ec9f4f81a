from tuneatlas.engine.step import step
from tuneatlas.plots import draw_figures
from tuneatlas.statistics.metrics import write_metrics
from tuneatlas.studies.knowledge.checkpoint_figures import FIGURES
from tuneatlas.studies.knowledge.checkpoints import (
    COMPARED,
    CheckpointOptions,
    compare_checkpoints,
    notes_of,
)
from tuneatlas.tables import ANSWERS

with step(snakemake) as this:
    told = snakemake.params.told
    names = [entry["checkpoint"] for entry in told]
    metrics = compare_checkpoints(
        [row for path in this.paths("base") for row in ANSWERS.read(path, COMPARED)],
        {n: ANSWERS.read(p, COMPARED) for n, p in zip(names, this.paths("few_shot"), strict=True)},
        {n: ANSWERS.read(p, COMPARED) for n, p in zip(names, this.paths("chat"), strict=True)},
        CheckpointOptions(**this.options),
        this.seed,
    )
    notes = map(notes_of, this.paths("models"))
    metrics["checkpoints"] = [{**e, "notes": n} for e, n in zip(told, notes, strict=True)]
    write_metrics(metrics, this.outputs["folder"])
    draw_figures(metrics, this.outputs["folder"] / "figures", FIGURES)
