from pathlib import Path

from tuneatlas.data.sources import SourceSpec, fetch_source
from tuneatlas.engine.step import step

with step(snakemake) as this:
    mirror = snakemake.params.mirror
    spec = SourceSpec(**this.options)
    fetch_source(spec, this.outputs["folder"], Path(mirror) if mirror else None)
