from pathlib import Path

from tuneatlas.engine.step import step
from tuneatlas.data.sources import SourceSpec, fetch_source

with step(snakemake) as this:
    mirror = snakemake.params.mirror
    spec = SourceSpec(**this.options)
    fetch_source(spec, this.outputs["folder"], Path(mirror) if mirror else None)
