from functools import partial

from tuneatlas.engine.step import step
from tuneatlas.engine.scatter import make_shard
from tuneatlas.studies.knowledge.evaluate import asked_tests

with step(snakemake) as this:
    make_shard(this, partial(asked_tests, this, bos=snakemake.params.bos))
