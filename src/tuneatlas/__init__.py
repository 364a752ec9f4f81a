"""tuneatlas: what tuning does to a language model."""

import gc

# A job imports tens of thousands of objects that stay. Looking for garbage among them every 700
# new ones, as Python does, takes a tenth of the processor time of a short job.
gc.set_threshold(50_000)
