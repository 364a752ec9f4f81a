"""Walk back from a result to what it came from: lineage, checks, traces, comparisons."""
