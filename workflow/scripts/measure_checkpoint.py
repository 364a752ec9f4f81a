from tuneatlas.engine.step import step
from tuneatlas.studies.forgetting.checkpoints import checkpoint_stages
from tuneatlas.studies.forgetting.evaluate import load_material, measure_stages
from tuneatlas.tables import STAGE_ANSWERS, STAGE_TEXTS

with step(snakemake) as this:
    answers, texts = measure_stages(
        checkpoint_stages(this.path("tuned"), this.path("restored"), snakemake.params.step),
        load_material(this),
        this.options,
        bos=snakemake.params.bos,
        parts=this.parts(),
    )
    STAGE_ANSWERS.write(this.outputs["answers"], answers)
    STAGE_TEXTS.write(this.outputs["texts"], texts)
