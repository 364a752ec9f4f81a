from functools import partial

from tuneatlas.engine.step import step
from tuneatlas.engine.scatter import shared
from tuneatlas.studies.knowledge.probe import probe_domain
from tuneatlas.tables import ANSWERS, KNOWLEDGE

with step(snakemake) as this:
    asked = {"bos": snakemake.params.bos, "splits": snakemake.params.splits}
    probed = shared(this, partial(probe_domain, this, **asked))
    ANSWERS.write(this.outputs["answers"], probed.answers)
    KNOWLEDGE.write(this.outputs["knowledge"], probed.knowledge)
