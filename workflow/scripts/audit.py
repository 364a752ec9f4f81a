from pathlib import Path

from tuneatlas.engine.step import step
from tuneatlas.audit.lineage import read_results
from tuneatlas.audit.page.build import build_page
from tuneatlas.audit.page.graph import restricted

with step(snakemake) as this:
    results = restricted(read_results(Path("results")), [str(path) for path in snakemake.input])
    this.info = {"page": build_page(results, this.outputs["folder"])}
