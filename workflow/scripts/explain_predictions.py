from functools import partial

from tuneatlas.engine.step import step
from tuneatlas.engine.scatter import shared
from tuneatlas.studies.knowledge.explain import explained
from tuneatlas.tables import EXPLANATIONS

with step(snakemake) as this:
    rows = shared(this, partial(explained, this, bos=snakemake.params.bos))
    EXPLANATIONS.write(this.outputs["explanations"], rows)
