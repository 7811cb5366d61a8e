"""The forecasting job: from a raw series to an honest leaderboard."""
