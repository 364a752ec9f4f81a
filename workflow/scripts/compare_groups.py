from tuneatlas.engine.step import step
from tuneatlas.plots import draw_figures
from tuneatlas.studies.knowledge.compare import compare_groups, write_comparison
from tuneatlas.studies.knowledge.figures import FIGURES
from tuneatlas.studies.knowledge.paired_answers import COMPARED, CompareOptions
from tuneatlas.studies.knowledge.shared_questions import COLUMNS
from tuneatlas.tables import ANSWERS, LABELS, MENTIONS, QUESTIONS

with step(snakemake) as this:
    comparison = compare_groups(
        {path.stem: ANSWERS.read(path, COMPARED) for path in this.paths("base")},
        {
            (path.parts[-3], path.parts[-2], int(path.stem)): ANSWERS.read(path, COMPARED)
            for path in this.paths("tuned")
        },
        CompareOptions(**this.options),
        this.seed,
        mentions={r["id"]: r["mentions"] for p in this.paths("mentions") for r in MENTIONS.read(p)},
        labels={path.stem: LABELS.read(path) for path in this.paths("labels")},
        questions={path.stem: QUESTIONS.read(path, COLUMNS) for path in this.paths("questions")},
    )
    write_comparison(comparison, this.outputs["folder"])
    draw_figures(comparison.metrics(), this.outputs["folder"] / "figures", FIGURES)
