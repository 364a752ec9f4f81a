import json

from tuneatlas.engine.step import step
from tuneatlas.engine.files import write_text
from tuneatlas.studies.syntax.pretraining.labels import labels_of
from tuneatlas.studies.syntax.tables import read_parses

with step(snakemake) as this:
    labels = labels_of(tree for _, tree in read_parses(this.paths("parses")))
    write_text(this.outputs["labels"], json.dumps(labels) + "\n")
    this.info = {"labels": len(labels)}
