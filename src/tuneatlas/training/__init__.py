"""The one trainer: pre-training, instruction tuning, restoration and the T5 steps all use it."""
