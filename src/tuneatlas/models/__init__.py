"""One loader, one saver, one encoder, one scorer, for every kind of language model."""
