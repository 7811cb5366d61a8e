"""The text job: from raw characters to an honest leaderboard of language models."""
