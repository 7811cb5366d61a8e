"""How gradient flows through time: theory, probes, long-memory tasks, remedies. No Kedro."""
