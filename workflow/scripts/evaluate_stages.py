from tuneatlas.engine.step import step
from tuneatlas.studies.forgetting.evaluate import load_material, measure_stages, stages_of
from tuneatlas.tables import STAGE_ANSWERS, STAGE_TEXTS

with step(snakemake) as this:
    answers, texts = measure_stages(
        stages_of(this.paths("kept"), this.paths("restored"), this.path("finetuned")),
        load_material(this),
        this.options,
        bos=snakemake.params.bos,
        parts=this.parts(),
    )
    STAGE_ANSWERS.write(this.outputs["answers"], answers)
    STAGE_TEXTS.write(this.outputs["texts"], texts)
