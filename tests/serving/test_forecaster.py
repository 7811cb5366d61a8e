"""Rows that a served state takes, passes over or refuses."""

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from unrolled.errors import InputError
from unrolled.serving.forecaster import ServedForecaster

DRIFT = {"formula": "drift", "first": 1.0, "last": 5.0, "seen": 5, "ds": "2001-05-01T00:00:00"}
ETS = {
    "formula": "ets",
    "multiplicative": True,
    "alpha": 0.5,
    "beta": 0.1,
    "gamma": 0.1,
    "damping": 1.0,
    "level": 5.0,
    "trend": 1.0,
    "season": [1.0],
    "ds": "2001-05-01T00:00:00",
}


def served(folder: Path, numbers: dict, step: object = "MS") -> ServedForecaster:
    content = json.dumps({"variant": "it", "series": {"a": numbers}}).encode()
    (folder / "numbers.json").write_bytes(content)
    options = {
        "sha256": sha256(content).hexdigest(),
        "horizon": 2,
        "lowest": "",
        "clock": "",
        "ds": "long" if isinstance(step, int) else "datetime",
        "series": {"a": step},
    }
    (folder / "forecaster.json").write_text(json.dumps(options))
    return ServedForecaster(folder)


def rows(first: str, *y: float) -> pd.DataFrame:
    ds = pd.date_range(first, periods=len(y), freq="MS")
    return pd.DataFrame({"unique_id": "a", "ds": ds, "y": y})


@pytest.mark.parametrize(
    "seen", [rows("2001-05-01", 5.0), rows("2001-03-01", 99.0, -99.0, 0.0)], ids=["last", "three"]
)
def test_rows_that_a_state_has_seen_change_nothing(tmp_path: Path, seen: pd.DataFrame) -> None:
    found = served(tmp_path, DRIFT).predict(seen)
    assert found["ds"].tolist() == [pd.Timestamp("2001-06-01"), pd.Timestamp("2001-07-01")]
    assert found["y_hat"].tolist() == [6, 7]


@pytest.mark.parametrize("first", ["2001-06-01", "2001-04-01"])
def test_rows_after_it_move_a_state_on(tmp_path: Path, first: str) -> None:
    old = [] if first == "2001-06-01" else [4.0, 5.0]
    found = served(tmp_path, DRIFT).predict(rows(first, *old, 8.0, 13.0))
    assert found["ds"].tolist() == [pd.Timestamp("2001-08-01"), pd.Timestamp("2001-09-01")]
    np.testing.assert_allclose(found["y_hat"], [15, 17])  # from 1 to 13 in six steps


def test_a_state_counts_in_whole_numbers_too(tmp_path: Path) -> None:
    asked = pd.DataFrame({"unique_id": "a", "ds": [17, 20], "y": [5.0, 7.0]})
    found = served(tmp_path, DRIFT | {"ds": 17}, 3).predict(asked)
    assert found["ds"].tolist() == [23, 26]


REFUSED = {
    "before": (
        DRIFT,
        rows("2001-01-01", 1.0, 2.0),
        "series 'a': the rows end at 2001-02-01 00:00:00, but this model has seen all up to"
        " 2001-05-01 00:00:00; send rows up to then or later",
    ),
    "after": (
        DRIFT,
        rows("2001-07-01", 1.0),
        "series 'a': the rows go on at 2001-07-01 00:00:00, but this model has seen none after"
        " 2001-05-01 00:00:00; send all rows from 2001-06-01 00:00:00 on",
    ),
    "a gap": (
        DRIFT,
        pd.concat([rows("2001-05-01", 5.0, 6.0), rows("2001-08-01", 1.0)]),
        "series 'a': column 'ds' is 2001-08-01 00:00:00 where 2001-07-01 00:00:00 was expected;"
        " rows must come oldest first, in steps of MS, without gaps",
    ),
    "disorder": (
        DRIFT,
        rows("2001-05-01", 5.0, 6.0, 7.0).iloc[[0, 2, 1]],
        "series 'a': the rows go on at 2001-07-01 00:00:00, but this model has seen none after"
        " 2001-05-01 00:00:00; send all rows from 2001-06-01 00:00:00 on",
    ),
    "an old row at the end": (
        DRIFT,
        rows("2001-05-01", 5.0, 6.0).iloc[[1, 0]],
        "series 'a': column 'ds' is 2001-05-01 00:00:00 where 2001-07-01 00:00:00 was expected;"
        " rows must come oldest first, in steps of MS, without gaps",
    ),
    "half a character": (
        DRIFT,
        rows("2001-06-01", 5.0).assign(unique_id=pd.Series(["\ud800"], dtype=object)),
        "column 'unique_id' holds half a character; expected text",
    ),
    "an infinite time": (
        DRIFT,
        rows("2001-06-01", 5.0).assign(ds=np.inf),
        "column 'ds' cannot be read: inf is no date of ISO 8601; expected dates such as 2024-12-31",
    ),
    "a date that would be guessed": (
        DRIFT,
        rows("2001-06-01", 5.0).assign(ds="03.04.2001"),
        "column 'ds' cannot be read: '03.04.2001' is no date of ISO 8601; expected dates such as"
        " 2024-12-31",
    ),
    "the clock on the wall": (
        DRIFT,
        rows("2001-06-01", 5.0).assign(ds="now"),
        "column 'ds' cannot be read: 'now' is no date of ISO 8601; expected dates such as 2024-12-31",
    ),
    "a count of nanoseconds": (
        DRIFT,
        rows("2001-06-01", 5.0).assign(ds=991353600),
        "column 'ds' cannot be read: 991353600 is no date of ISO 8601; expected dates such as"
        " 2024-12-31",
    ),
    "an offset": (
        DRIFT,
        rows("2001-06-01", 5.0).assign(ds="2001-06-01T00:00:00+02:00"),
        "column 'ds' cannot be read: times have an offset from UTC; expected dates such as 2024-12-31",
    ),
    "a zero under a factor": (
        ETS,
        rows("2001-06-01", 5.0, 0.0),
        "series 'a': column 'y' is 0.0 at 2001-07-01 00:00:00; this model's season is a factor, so"
        " it expects numbers above 0: deploy it anew",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_rows_that_a_state_cannot_go_on_from_are_refused_in_a_sentence(
    tmp_path: Path, case: str
) -> None:
    numbers, asked, sentence = REFUSED[case]
    with pytest.raises(InputError) as caught:
        served(tmp_path, numbers).predict(asked)
    assert str(caught.value) == sentence


def test_a_reader_needs_its_rows_and_no_more(tmp_path: Path) -> None:
    model = served(tmp_path, {"formula": "repeat", "rows": 3})
    assert model.predict(rows("1990-01-01", 1.0, 2.0, 3.0, 4.0))["y_hat"].tolist() == [2, 3]
    with pytest.raises(InputError, match="series 'a': 2 rows; expected the last 3 or more"):
        model.predict(rows("1990-01-01", 1.0, 2.0))


def test_numbers_that_were_changed_are_refused_by_their_name(tmp_path: Path) -> None:
    served(tmp_path, DRIFT)
    path = tmp_path / "numbers.json"
    path.write_bytes(path.read_bytes().replace(b"5.0", b"6.0"))
    with pytest.raises(InputError, match=r"file 'numbers\.json' has SHA-256 .* was registered"):
        ServedForecaster(tmp_path)


def test_months_stamped_on_their_15th_go_on_so(tmp_path: Path) -> None:
    model = served(tmp_path, {"formula": "repeat", "rows": 3}, "MS+14D")
    asked = rows("1990-01-01", 1.0, 2.0, 3.0)
    found = model.predict(asked.assign(ds=asked["ds"] + pd.Timedelta(days=14)))
    assert found["ds"].tolist() == [pd.Timestamp("1990-04-15"), pd.Timestamp("1990-05-15")]
