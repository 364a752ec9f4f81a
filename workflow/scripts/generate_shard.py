from functools import partial

from tuneatlas.engine.step import step
from tuneatlas.engine.scatter import make_shard
from tuneatlas.studies.syntax.paraphrasing.generate import generated

with step(snakemake) as this:
    make_shard(this, partial(generated, this))
