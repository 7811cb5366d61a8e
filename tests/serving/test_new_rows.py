"""New rows are forecast by the last of them, however many there are."""

import pandas as pd

from unrolled.serving.forecaster import MAX_ROWS
from unrolled.serving.new_rows import _requests


def panel(**lengths: int) -> pd.DataFrame:
    frames = [
        pd.DataFrame({"unique_id": name, "ds": range(rows), "y": 1.0})
        for name, rows in lengths.items()
    ]
    return pd.concat(frames, ignore_index=True)


def test_a_server_is_asked_with_no_more_rows_than_it_takes_and_with_every_series_whole() -> None:
    rows = panel(a=MAX_ROWS + 5, b=MAX_ROWS // 2, c=MAX_ROWS // 2, d=3)
    asked = list(_requests(rows))
    assert all(len(some) <= MAX_ROWS for some in asked)
    assert [name for some in asked for name in some["unique_id"].unique()] == list("abcd")
    assert asked[0]["ds"].tolist() == list(range(5, MAX_ROWS + 5))
    few = panel(a=10, b=5)
    (one,) = _requests(few)
    assert one.equals(few)
