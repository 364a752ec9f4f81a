from tuneatlas.engine.step import step
from tuneatlas.models.card import CARD, brought_card
from tuneatlas.models.given import bring_checkpoint, given_folder, naming

with step(snakemake) as this, naming(f"checkpoints.{this.wildcards['checkpoint']}"):
    folder = given_folder(this.options)
    card = {CARD: brought_card(this, folder)}
    this.info = bring_checkpoint(folder, this.path("base"), this.outputs["model"], card)
