"""S1, "Learning or Self-aligning?" (Ren et al. 2024)."""
