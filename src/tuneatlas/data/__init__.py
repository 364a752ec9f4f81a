"""Questions and text: where they come from, and what is sound."""
