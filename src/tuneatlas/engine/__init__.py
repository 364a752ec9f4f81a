"""How a step runs: whole outputs, records, resuming, code identity, clusters. No science here."""
