from tuneatlas.engine.step import step
from tuneatlas.plots import draw_figures
from tuneatlas.studies.knowledge.answer_files import read_answers, read_labels
from tuneatlas.studies.knowledge.compare import compare_replicates, write_comparison
from tuneatlas.studies.knowledge.figures import FIGURES
from tuneatlas.studies.knowledge.paired_answers import CompareOptions
from tuneatlas.studies.knowledge.shared_questions import COLUMNS
from tuneatlas.tables import MENTIONS, QUESTIONS

with step(snakemake) as this:
    comparison = compare_replicates(
        read_answers(this.paths("base"), this.paths("tuned")),
        CompareOptions(**this.options),
        this.seed,
        mentions={r["id"]: r["mentions"] for p in this.paths("mentions") for r in MENTIONS.read(p)},
        labels=read_labels(this.paths("labels")),
        questions={path.stem: QUESTIONS.read(path, COLUMNS) for path in this.paths("questions")},
    )
    write_comparison(comparison, this.outputs["folder"])
    draw_figures(comparison.metrics(), this.outputs["folder"] / "figures", FIGURES)
