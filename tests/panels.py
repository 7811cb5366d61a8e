"""Panels that several tests look at."""

import numpy as np
import pandas as pd


def one_series() -> pd.DataFrame:
    """80 rows with a season of 4, the trend up."""
    time = np.arange(80)
    noise = np.random.default_rng(0).normal(0, 1, 80)
    y = 50 + 0.3 * time + 8 * np.sin(2 * np.pi * time / 4 + 0.7) + noise
    return pd.DataFrame({"unique_id": "a", "ds": time, "y": y})


def two_series() -> pd.DataFrame:
    """One of 80 rows, one of 50, on different scales."""
    frames = []
    for name, rows, scale in (("a", 80, 1.0), ("b", 50, 30.0)):
        time = np.arange(rows)
        noise = np.random.default_rng(rows).normal(0, 1, rows)
        y = scale * (50 + 0.3 * time + 8 * np.sin(2 * np.pi * time / 4 + 0.7) + noise)
        frames.append(pd.DataFrame({"unique_id": name, "ds": time, "y": y}))
    return pd.concat(frames, ignore_index=True)
