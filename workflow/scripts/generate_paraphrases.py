from tuneatlas.engine.step import step
from tuneatlas.studies.syntax.beam_search import cut_inputs, generate
from tuneatlas.studies.syntax.opening import open_model
from tuneatlas.studies.syntax.paraphrasing.formats import read_format
from tuneatlas.studies.syntax.paraphrasing.generate import generation_rows, inputs_of
from tuneatlas.studies.syntax.tables import GENERATIONS, paraphrases

with step(snakemake) as this:
    model, tokenizer = open_model(this, place=True)
    kind = read_format(this.paths("format")[0])
    search = this.options | {"never": kind.never}
    search["max_new_tokens"] = search["max_new_tokens"] or kind.longest
    pairs = list(paraphrases(this.path("paraphrases"), "test"))
    inputs, names = inputs_of(kind, pairs, search["height"]), [pair["id"] for pair in pairs]
    outputs = generate(model, tokenizer, inputs, search, this.parts(), names)
    rows = list(generation_rows(kind, pairs, inputs, outputs))
    GENERATIONS.write(this.outputs["generations"], rows)
    this.info = {
        "paraphrases": len(rows),
        "inputs_cut": cut_inputs(tokenizer, inputs, search),
        "of_another_form": sum(bool(row["problem"]) for row in rows),
    }
