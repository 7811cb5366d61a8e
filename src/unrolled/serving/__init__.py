"""A row of the leaderboard as files, as a registered MLflow model, and behind HTTP."""
