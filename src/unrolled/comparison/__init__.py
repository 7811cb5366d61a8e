"""Who wins: leaderboards in words, the champion and the winner. No Kedro."""
