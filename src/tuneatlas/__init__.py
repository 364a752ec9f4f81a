"""tuneatlas: what tuning does to a language model."""

import gc

# What a job imports stays. Looking for garbage among it, as Python does with every 700 new
# objects, takes a sixth of the processor time of a short job's start. A step sets it lower again.
gc.set_threshold(1_000_000)
