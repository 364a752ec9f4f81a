"""tuneatlas: what tuning does to a language model."""
