from tuneatlas.engine.step import step
from tuneatlas.studies.atlas.battery import ask_battery

with step(snakemake) as this:
    ask_battery(this, bos=snakemake.params.bos, chat_bos=snakemake.params.chat_bos)
