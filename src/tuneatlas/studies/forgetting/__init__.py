"""S2, "Pattern Shifting or Knowledge Losing?" (Zhang et al. 2024)."""
