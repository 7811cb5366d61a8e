"""Windows against a slow enumeration, and the border between parts."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.series.options import SeriesOptions
from unrolled.series.splits import borders, each
from unrolled.series.windows import PARTS, sliding, starts, table
from unrolled.training.forecasting import gather

cases = st.fixed_dictionaries(
    {
        "rows": st.lists(st.integers(1, 40), min_size=1, max_size=4),
        "lookback": st.integers(1, 8),
        "horizon": st.integers(1, 5),
        "lags": st.lists(st.integers(1, 6), max_size=2).map(tuple),
        "season": st.integers(2, 7),
        "season_off": st.sampled_from(["none", "seasonal_difference", "es"]),
        "validation": st.sampled_from([0.1, 0.3, 2, 5]),
        "test": st.sampled_from([0.1, 0.3, 2, 5]),
    }
)


def build(case):
    """Borders and options of a case; series too short for the counts are left out."""
    given_options = {name: case[name] for name in case if name not in ("rows", "season_off")}
    season_off = {} if case["season_off"] == "none" else {case["season_off"]: True}
    options = SeriesOptions(**given_options, **season_off)
    rows = [n for n in case["rows"] if n >= 10] or [10]
    names = np.repeat([f"s{i}" for i in range(len(rows))], rows)
    panel = pd.DataFrame({"unique_id": names})
    return borders(panel, options.validation, options.test), options


def edges(series):
    return {
        "train": (series.first, series.train_end),
        "validation": (series.train_end, series.validation_end),
        "test": (series.validation_end, series.end),
    }


def enumerate_slowly(parts_table, options, first_part, last_part):
    """Every row where a window of the parts can start, from the definition."""
    found = []
    for series in each(parts_table):
        begin, end = edges(series)[first_part][0], edges(series)[last_part][1]
        for first in range(series.first, series.end):
            rows = range(first, first + options.span)
            targets = rows[-options.horizon :]
            whole = rows[0] >= series.first + options.warmup and rows[-1] < series.end
            if whole and all(begin <= row < end for row in targets):
                found.append(first)
    return found


@given(case=cases)
def test_starts_are_those_of_a_slow_enumeration(case):
    parts_table, options = build(case)
    windows = table(parts_table, options)
    for part in PARTS:
        result = starts(windows, part)
        assert result.dtype == np.int64
        assert result.tolist() == enumerate_slowly(parts_table, options, part, part)
    if (windows["count"] > 0).all():
        both = starts(windows, "train", "validation")
        assert both.tolist() == enumerate_slowly(parts_table, options, "train", "validation")


@given(case=cases)
def test_no_window_of_train_touches_a_row_after_train(case):
    parts_table, options = build(case)
    ends = {series.unique_id: series.train_end for series in each(parts_table)}
    windows = table(parts_table, options)
    for row in windows[(windows["part"] == "train") & (windows["count"] > 0)].itertuples():
        assert row.first + row.count - 1 + options.span <= ends[row.unique_id]


def test_inputs_reach_back_over_the_border_and_targets_never_do():
    options = SeriesOptions(lookback=4, horizon=2, validation=5, test=5, lags=(3,))
    parts_table = borders(pd.DataFrame({"unique_id": ["a"] * 30}), 5, 5)
    windows = table(parts_table, options).set_index("part")
    context = 3 + 4
    assert windows.loc["validation", "first"] + context == 20  # the first target opens the part
    assert windows.loc["validation", "count"] == 5 - 2 + 1
    assert windows.loc["test", "first"] + context == 25
    assert windows.loc["test", "count"] == 5 - 2 + 1


def test_a_table_has_a_row_for_each_part_and_series():
    parts_table = borders(pd.DataFrame({"unique_id": list("bbbbbbbbbbaaaaaaaaaa")}), 0.2, 0.2)
    windows = table(parts_table, SeriesOptions(lookback=2, horizon=1))
    assert windows.columns.tolist() == ["unique_id", "part", "first", "count"]
    assert windows["unique_id"].tolist() == ["b", "a"] * 3
    assert windows["part"].tolist() == [part for part in PARTS for _ in range(2)]


def test_parts_without_windows_have_no_starts():
    parts_table = borders(pd.DataFrame({"unique_id": ["a"] * 10}), 2, 2)
    windows = table(parts_table, SeriesOptions(lookback=20, horizon=1, validation=2, test=2))
    assert starts(windows, *PARTS).shape == (0,)


def test_sliding_is_a_view():
    values = np.arange(1000, dtype=np.float32)
    view = sliding(values, 120)
    assert np.shares_memory(view, values)
    assert view.shape == (881, 120)
    assert view.strides == (4, 4)


@settings(max_examples=30)
@given(rows=st.integers(1, 40), data=st.data())
def test_row_i_of_the_view_is_the_window_that_starts_at_i(rows, data):
    span = data.draw(st.integers(1, rows))
    values = np.random.default_rng(rows).normal(size=rows)
    expected = [values[i : i + span] for i in range(rows - span + 1)]
    np.testing.assert_array_equal(sliding(values, span), expected)


@pytest.mark.parametrize("lags", [(), (1, 5)])
def test_a_batch_holds_the_rows_that_its_starts_name(lags):
    options = SeriesOptions(lookback=4, horizon=3, lags=lags)
    values = torch.arange(50, dtype=torch.float32)
    first = torch.tensor([7, 0, 30])
    (inputs, *_), targets = gather(values, first, options)
    assert inputs.shape == (4, 3, 1 + len(lags))
    assert targets.shape == (3, 3)
    for window, row in enumerate(first.tolist()):
        begin = row + max(lags, default=0)  # the first step read
        for feature, lag in enumerate((0, *lags)):
            expected = [float(begin + t - lag) for t in range(4)]
            assert inputs[:, window, feature].tolist() == expected
        assert targets[:, window].tolist() == [float(begin + 4 + k) for k in range(3)]
