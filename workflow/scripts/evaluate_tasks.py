from tuneatlas.engine.step import step
from tuneatlas.studies.syntax.beam_search import cut_inputs, generate
from tuneatlas.studies.syntax.opening import open_model
from tuneatlas.studies.syntax.pretraining.evaluate import task_score_rows
from tuneatlas.studies.syntax.tables import SCORES, TASKS

with step(snakemake) as this:
    model, tokenizer = open_model(this, place=True)
    rows = [row for path in this.paths("tasks") for row in TASKS.read(path)]
    inputs, names = [row["input"] for row in rows], [row["id"] for row in rows]
    outputs = generate(model, tokenizer, inputs, this.options, this.parts(), names)
    scores = task_score_rows(rows, outputs, this.options["form"], tokenizer.tokenize)
    SCORES.write(this.outputs["scores"], scores)
    this.info = {"examples": len(rows), "inputs_cut": cut_inputs(tokenizer, inputs, this.options)}
