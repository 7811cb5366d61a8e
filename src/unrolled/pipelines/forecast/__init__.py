"""Forecasts of what comes after the last row, by any row of the leaderboard or the registered model."""
