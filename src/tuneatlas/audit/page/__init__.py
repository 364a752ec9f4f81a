"""The audit page: lineage, data cards, items and numbers, as files that a browser opens alone."""
