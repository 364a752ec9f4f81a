from functools import partial

from tuneatlas.engine.step import step
from tuneatlas.engine.scatter import make_shard
from tuneatlas.studies.knowledge.probe import probe_domain

with step(snakemake) as this:
    asked = {"bos": snakemake.params.bos, "splits": snakemake.params.splits}
    make_shard(this, partial(probe_domain, this, **asked))
