"""The studies: a room each, a module per step. None imports another."""
