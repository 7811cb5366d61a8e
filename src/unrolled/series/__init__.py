"""Time series without any framework: panels, baselines, the backtest and metrics."""
