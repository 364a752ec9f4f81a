"""Constituency trees: parsed, written as text, compared."""
