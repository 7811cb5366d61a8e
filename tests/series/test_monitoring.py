import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.errors import InputError
from unrolled.series import monitoring
from unrolled.series.baselines import Task
from unrolled.series.baselines.naive import seasonal_naive
from unrolled.series.monitoring import MonitorOptions

SEASON, HORIZON = 4, 6


def panel(rows: int = 24, names: str = "a") -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.concat(
        pd.DataFrame(
            {
                "unique_id": name,
                "ds": pd.date_range("2020-01-01", periods=rows, freq="MS"),
                "y": random.normal(size=rows),
            }
        )
        for name in names
    ).reset_index(drop=True)


def stored(data: pd.DataFrame, cutoff: int, error: float = 0.5) -> pd.DataFrame:
    """Forecasts from row `cutoff` of every series, each wrong by `error`."""
    parts = []
    for _, own in data.groupby("unique_id"):
        ahead = own.iloc[cutoff + 1 : cutoff + 1 + HORIZON]
        parts.append(
            ahead[["unique_id", "ds"]].assign(
                cutoff=own["ds"].iloc[cutoff], y_hat=ahead["y"] + error
            )
        )
    return pd.concat(parts, ignore_index=True)


def test_seasonal_naive_is_that_of_the_leaderboard():
    data = panel(names="ab")
    found = monitoring.match(stored(data, 11), data, SEASON)
    task = Task(
        horizon=HORIZON, season=SEASON, lookback=4, train_end=8, validation_end=12, refit_every=1
    )
    for name, own in found.groupby("unique_id"):
        y = data.loc[data["unique_id"] == name, "y"].to_numpy()
        assert own["seasonal_naive"].to_numpy() == pytest.approx(
            seasonal_naive(y, np.array([11]), task)[0]
        )
        assert own["y"].to_numpy() == pytest.approx(y[12:18])


def test_only_what_has_come_true_is_scored_and_a_second_forecast_replaces_the_first():
    data = panel()
    forecasts = pd.concat([stored(data, 17, 9.0), stored(data, 17, 0.5)])
    found = monitoring.match(forecasts, data[:20], SEASON)
    assert len(found) == 2
    days = monitoring.by_day(found)
    assert days["mae"].tolist() == pytest.approx([0.5, 0.5])
    assert days["forecasts"].tolist() == [1, 1]


def test_time_may_be_a_number():
    data = panel().assign(ds=range(24))
    assert monitoring.by_day(monitoring.match(stored(data, 11), data, SEASON))["ds"].tolist() == [
        12, 13, 14, 15, 16, 17,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda frame: frame.drop(columns="cutoff"),
            "stored forecasts have the columns unique_id, ds, y_hat, but cutoff is missing; expected"
            " those that the pipeline forecast writes",
        ),
        (
            lambda frame: frame.assign(unique_id="b"),
            "stored forecasts are of the series 'b', which is not among the 1 of the data; monitor"
            " the data that were forecast",
        ),
        (
            lambda frame: frame.assign(cutoff=pd.Timestamp("1999-01-01")),
            "stored forecasts of series 'a' start from 1999-01-01 00:00:00, a time that the data do"
            " not have; monitor the data that were forecast",
        ),
        (
            lambda frame: frame.assign(cutoff=7),
            "stored forecasts have cutoffs of type int64, the data times of type datetime64[us];"
            " monitor the data that were forecast",
        ),
        (
            lambda frame: frame.assign(ds=frame["ds"] + pd.DateOffset(years=9)),
            "none of the 6 stored forecasts has come true: the first is for 2030-01-01 00:00:00, the"
            " last true value is of 2021-12-01 00:00:00; add the new rows to the series",
        ),
    ],
)
def test_what_cannot_be_scored_is_told_why(change, sentence):
    data = panel()
    with pytest.raises(InputError) as error:
        monitoring.match(change(stored(data, 11)), data, SEASON)
    assert str(error.value) == sentence


def test_forecasts_within_the_first_season_have_nothing_to_be_compared_with():
    data = panel()
    with pytest.raises(InputError, match="within the first season of 20 steps"):
        monitoring.match(stored(data, 3), data, 20)


def days(ours: list[float], theirs: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {"ds": range(len(ours)), "forecasts": 1, "mae": ours, "seasonal_naive_mae": theirs}
    )


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=1), st.integers(1, 20))
def test_the_last_days_alone_decide(errors, last):
    ours, theirs = map(list, zip(*errors, strict=True))
    found = monitoring.verdict(days(ours, theirs), 0, MonitorOptions(last=last))
    assert found["retrain"] == (np.mean(ours[-last:]) > np.mean(theirs[-last:]))
    assert found["sentence"].startswith("Retrain: " if found["retrain"] else "Keep: ")


def test_a_value_outside_the_training_range_asks_for_training_beyond_the_tolerance():
    data = panel()
    data["y"] = 1.0
    data.loc[0, "y"], data.loc[23, "y"] = 0.0, 1.4
    borders = pd.DataFrame(
        {"unique_id": ["a"], "first": [0], "train": [10], "validation": [4], "test": [10]}
    )
    known = monitoring.training_range(data, borders)
    assert known.iloc[0].tolist() == ["a", 0.0, 1.0]
    assert monitoring.outside(data, known, MonitorOptions(last=1)) == 1
    assert monitoring.outside(data, known, MonitorOptions(last=1, tolerance=0.5)) == 0
    found = monitoring.verdict(days([1.0], [2.0]), 1, MonitorOptions())
    assert found["retrain"]
    assert found["sentence"] == "Retrain: 1 of the latest values outside the training range."
