from tuneatlas.engine.step import step
from tuneatlas.studies.knowledge.evaluate import answer_tests

with step(snakemake) as this:
    answer_tests(this, bos=snakemake.params.bos)
