"""Paraphrasing under syntactic control: formats, tuning, generation, scores."""
