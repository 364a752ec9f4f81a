"""Statistics: resampling, intervals, tests, correlations, and metrics as files."""
