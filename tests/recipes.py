"""A recipe for training runs of a few steps."""

from tuneatlas.training.trainer import Recipe

RECIPE = Recipe(
    epochs=3,
    batch=6,
    batch_unit="examples",
    row_length=64,
    isolate=True,
    rows_per_device=2,
    learning_rate=1e-3,
    schedule="cosine",
    warmup_ratio=0.1,
    warmup_steps=None,
    schedule_stretch=1.0,
    weight_decay=0.01,
    beta2=0.95,
    max_grad_norm=1.0,
    precision="fp32",
    gradient_checkpointing=False,
    checkpoint_minutes=10.0,
    checkpoint_steps=None,
    keep_checkpoints=2,
    deepspeed=None,
    processes=1,
)
