"""Sentences and pairs of paraphrases."""
