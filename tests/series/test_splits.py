"""Parts are cut in time order, and each can hold a window."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.errors import InputError
from unrolled.series.options import SeriesOptions
from unrolled.series.splits import REHEARSALS, borders, check_lengths, each, rehearsals

lengths = st.lists(st.integers(1, 60), min_size=1, max_size=5)


def panel(rows):
    """A panel of series so many rows long; the second is named before the first, as files do."""
    names = [f"s{(i + 1) % len(rows)}" for i in range(len(rows))]
    return pd.DataFrame({"unique_id": np.repeat(names, rows), "y": 0.0})


@given(rows=lengths, validation=st.floats(0.01, 0.49), test=st.floats(0.01, 0.49))
def test_parts_are_disjoint_in_order_and_cover_every_row(rows, validation, test):
    frame = panel(rows)
    covered = []
    for series in each(borders(frame, validation, test)):
        own = frame.index[frame["unique_id"] == series.unique_id]
        edges = [series.first, series.train_end, series.validation_end, series.end]
        assert edges == sorted(edges)
        assert (series.first, series.end) == (own[0], own[-1] + 1)
        covered += range(series.first, series.end)
    assert covered == list(range(sum(rows)))


@given(rows=lengths, share=st.floats(0.01, 0.49), count=st.integers(1, 20))
def test_below_one_is_a_share_of_each_series_and_else_a_number_of_rows(rows, share, count):
    table = borders(panel(rows), share, count)
    assert table["validation"].tolist() == [round(n * share) for n in rows]
    assert table["test"].tolist() == [count] * len(rows)
    assert (table[["train", "validation", "test"]].sum(axis=1) == rows).all()
    assert (table.dtypes.iloc[1:] == np.int64).all()


def options(**changes):
    return SeriesOptions(**{"lookback": 6, "horizon": 3, "validation": 3, "test": 3, **changes})


def refusal(rows, given_options):
    with pytest.raises(InputError) as caught:
        check_lengths(
            borders(panel(rows), given_options.validation, given_options.test), given_options
        )
    return str(caught.value)


ADVICE = "; shorten lookback or horizon, change the split, or drop the series"


@pytest.mark.parametrize(
    ("rows", "changes", "sentence"),
    [
        (
            [15, 14],
            {},
            "series 's0': 8 of its 14 rows are for train, but lookback 6 + horizon 3 needs at least"
            " 9",
        ),
        (
            [30],
            {"validation": 2},
            "series 's0': 2 of its 30 rows are for validation, but horizon 3 needs at least 3",
        ),
        (
            [30],
            {"test": 0.05},
            "series 's0': 2 of its 30 rows are for test, but horizon 3 needs at least 3",
        ),
        (
            [26],
            {"lags": (1, 5), "season": 7, "seasonal_difference": True},
            "series 's0': 20 of its 26 rows are for train, but lookback 6 + horizon 3 + season 7"
            " + lag 5 needs at least 21",
        ),
        (
            [30],
            {"season": 7, "es": True},
            "series 's0': 27 of its 30 rows are for train and validation, but a forecast over 3"
            " seasons needs at least 33",
        ),
        (
            [5],
            {"validation": 20},
            "series 's0': 0 of its 5 rows are for train, but lookback 6 + horizon 3 needs at least"
            " 9",
        ),
    ],
)
def test_a_part_too_short_for_a_window_is_named(rows, changes, sentence):
    assert refusal(rows, options(**changes)) == sentence + ADVICE


def test_a_season_longer_than_what_lies_before_the_test_part_is_named_with_its_series():
    check_lengths(borders(panel([60]), 3, 3), options(season=57))
    assert refusal([90, 60], options(season=58)) == (
        "series 's0': 57 of its 60 rows are for train and validation, but a season of 58 needs at"
        " least 58; shorten the season, change the split, or drop the series"
    )


@pytest.mark.parametrize(
    ("rows", "changes"),
    [
        ([15], {}),
        ([27], {"lags": (1, 5), "season": 7, "seasonal_difference": True}),
        ([36], {"season": 7, "es": True}),
    ],
)
def test_what_is_needed_is_enough(rows, changes):
    given_options = options(**changes)
    check_lengths(borders(panel(rows), 3, 3), given_options)


@given(
    rows=st.lists(st.integers(20, 120), min_size=1, max_size=4),
    validation=st.integers(4, 20),
    lookback=st.integers(1, 12),
    season=st.integers(1, 40),
)
def test_rehearsals_end_before_the_test_part_and_hold_a_window_in_each_part_and_a_season(
    rows, validation, lookback, season
):
    chosen = options(lookback=lookback, horizon=4, season=season)
    real = borders(panel(rows), validation, 6)
    before = {parts.unique_id: parts for parts in each(real)}
    found = rehearsals(real, chosen)
    assert len(found) <= REHEARSALS
    for table in found:
        check_lengths(table, chosen)
        for parts in each(table):
            own = before[parts.unique_id]
            assert parts.first == own.first
            assert parts.end <= own.validation_end
            assert parts.test == own.validation
    ends = [{parts.unique_id: parts.end for parts in each(table)} for table in found]
    for earlier, later in pairwise(ends):
        assert all(later[name] - end >= chosen.horizon for name, end in earlier.items())


def test_a_series_too_short_to_rehearse_leaves_the_longer_ones_to_it():
    chosen = options(lookback=6, horizon=4)
    found = rehearsals(borders(panel([26, 60]), 6, 6), chosen)
    assert [table["unique_id"].tolist() for table in found] == [["s0"], ["s0"], ["s1", "s0"]]
    assert found[-1][["train", "validation", "test"]].values.tolist() == [[10, 4, 6], [42, 6, 6]]
    assert rehearsals(borders(panel([20]), 4, 4), options(lookback=8, horizon=4)) == []
