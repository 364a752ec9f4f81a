from functools import partial

from tuneatlas.engine.step import step
from tuneatlas.engine.scatter import shared
from tuneatlas.studies.syntax.paraphrasing.generate import generated
from tuneatlas.studies.syntax.tables import GENERATIONS

with step(snakemake) as this:
    rows, this.info = shared(this, partial(generated, this))
    GENERATIONS.write(this.outputs["generations"], rows)
