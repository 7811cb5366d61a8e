"""Time series without any framework: data generators, baselines and metrics."""
