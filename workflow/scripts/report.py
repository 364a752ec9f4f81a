from tuneatlas.step import step

with step(snakemake) as this:
    this.outputs["page"].write_text("to come", encoding="utf-8")
