"""From the user's rows to a panel, or one sentence."""

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.errors import InputError
from unrolled.series.filling import drawn
from unrolled.series.options import Columns, SeriesOptions
from unrolled.series.panel import PANEL_COLUMNS, PanelSchema, following, regular
from unrolled.series.reading import of_table
from unrolled.series.splits import Parts
from unrolled.series.tables import Table

FILLS = ["last", "seasonal", "linear"]
FREQUENCIES = ["15min", "h", "D", "B", "W-WED", "MS", "ME", "QS", "QE-JAN", "YS", "7D"]


def series(ds, y=None, **columns):
    """Rows of a file: times, and values that count up where none are given."""
    ds = list(ds)
    return pd.DataFrame({**columns, "ds": ds, "y": np.arange(len(ds)) * 1.0 if y is None else y})


def bring(raw, fill="error", season=1, columns=None):
    options = SeriesOptions(columns=columns or Columns(), fill=fill, season=season)
    return of_table(Table(raw, None), options, "mine")[0]


def refusal(raw, **options):
    with pytest.raises(InputError) as caught:
        bring(raw, **options)
    return str(caught.value)


# --- columns ---


def test_mapped_columns_are_found_and_others_left_out():
    raw = pd.DataFrame(
        {"shop": ["n", "n"], "Month": ["2001-01-01", "2001-02-01"], "sales": [1, 2], "more": 0}
    )
    panel = bring(raw, columns=Columns(unique_id="shop", ds="Month", y="sales"))
    assert panel.columns.tolist() == PANEL_COLUMNS
    assert panel["unique_id"].tolist() == ["n", "n"]
    assert panel["y"].tolist() == [1.0, 2.0]
    assert panel["y"].dtype == np.float64


@pytest.mark.parametrize("columns", [Columns(), Columns(unique_id=None)])
def test_a_file_without_series_names_is_one_series_named_after_the_data_set(columns):
    assert bring(series(range(5)), columns=columns)["unique_id"].unique().tolist() == ["mine"]


def test_names_of_series_become_text():
    panel = bring(series([1, 2, 1, 2], unique_id=[7, 7, 8, 8]))
    assert panel["unique_id"].tolist() == ["7", "7", "8", "8"]


def test_a_mapped_column_of_names_that_is_missing_is_refused():
    assert refusal(series(range(5)), columns=Columns(unique_id="shop")) == (
        "series 'mine': column 'shop' for unique_id is missing, the file has ds, y; name the right"
        " one by unique_id=NAME, in full series_options.mine.columns.unique_id"
    )


def test_a_row_without_a_series_is_refused():
    assert refusal(series(range(3), unique_id=["a", None, "a"])) == (
        "series 'mine': column 'unique_id' is empty in row 2; every row must name its series"
    )


# --- times ---


@pytest.mark.parametrize("frequency", FREQUENCIES)
def test_every_calendar_frequency_is_a_grid(frequency):
    ds = pd.date_range("2001-01-01", periods=40, freq=frequency)
    panel = bring(series(ds))
    assert panel["ds"].tolist() == ds.tolist()
    assert panel["y"].tolist() == list(range(40))


@pytest.mark.parametrize("frequency", FREQUENCIES)
def test_a_gap_is_filled_on_the_grid_of_every_frequency(frequency):
    ds = pd.date_range("2001-01-01", periods=40, freq=frequency)
    raw = series(ds).drop(index=[3, 20, 21])
    panel = bring(raw, fill="last")
    assert panel["ds"].tolist() == ds.tolist()
    expected = np.arange(40.0)
    expected[[3, 20, 21]] = [2, 19, 19]
    assert panel["y"].tolist() == expected.tolist()
    assert np.flatnonzero(~panel["observed"]).tolist() == [3, 20, 21]


@pytest.mark.parametrize(
    "ds",
    [
        range(10, 20),
        range(0, 100, 10),
        pd.array(range(10), dtype="Int64"),
        np.arange(10, dtype=np.uint8),
        np.arange(2000.0, 2010.0),  # whole numbers, as a file with an empty cell gives them
    ],
)
def test_whole_numbers_are_times(ds):
    panel = bring(pd.DataFrame({"ds": ds, "y": 1.0}))
    assert panel["ds"].dtype == np.int64
    assert panel["ds"].tolist() == [int(time) for time in ds]


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y%m%dT%H", "%d %B %Y", "%m/%d/%Y"])
def test_text_is_read_as_dates(form):
    ds = pd.date_range("2001-01-15", periods=30)
    assert bring(series(ds.strftime(form)))["ds"].tolist() == ds.tolist()


def test_python_dates_are_times():
    ds = [datetime.date(2001, 1, day) for day in range(1, 6)]
    assert bring(series(ds))["ds"].dt.date.tolist() == ds


def test_hours_across_a_change_of_the_clocks_are_read_in_utc():
    local = pd.date_range("2024-03-30", periods=72, freq="h", tz="Europe/Paris")
    panel = bring(series(time.isoformat() for time in local))
    assert panel["ds"].tolist() == local.tz_convert(None).tolist()
    pd.testing.assert_frame_equal(bring(series(local)), panel)


@pytest.mark.parametrize("offset", ["Z", "+00:00", "+02:00", "-09:30"])
@pytest.mark.parametrize("frequency", ["h", "D", "MS"])
def test_times_of_one_offset_are_those_that_the_clock_shows(frequency, offset):
    clock = pd.date_range("2024-01-01", periods=30, freq=frequency)
    plain = bring(series(clock.strftime("%Y-%m-%dT%H:%M:%S")))
    zoned = bring(series(clock.strftime(f"%Y-%m-%dT%H:%M:%S{offset}")))
    assert zoned["ds"].tolist() == clock.tolist()
    pd.testing.assert_frame_equal(zoned, plain)


def test_a_column_with_a_zone_is_read_like_text_with_its_offset():
    clock = pd.date_range("2024-01-01", periods=30, freq="MS")
    assert bring(series(clock.tz_localize("Asia/Tokyo")))["ds"].tolist() == clock.tolist()


@pytest.mark.parametrize(
    ("ds", "bad", "first"),
    [
        (pd.Series(pd.to_datetime(["2001-01-01", None, "2001-01-03"])), 1, "NaT in row 2"),
        (pd.array([1, 2, None], dtype="Int64"), 1, "<NA> in row 3"),
        ([1.0, np.nan, 3.0], 1, "nan in row 2"),
        ([1.0, np.inf, 3.0], 1, "inf in row 2"),
        ([True, False, True], 3, "True in row 1"),
    ],
)
def test_a_time_that_cannot_be_read_is_named_with_its_row_and_the_users_column(ds, bad, first):
    raw = pd.DataFrame({"when": ds, "y": 1.0})
    assert refusal(raw, columns=Columns(ds="when")) == (
        f"column when: {bad} of 3 time stamps cannot be read as a date, the first is {first};"
        " expected dates such as 2024-12-31, all of one form, or whole numbers; date_format says"
        " another"
    )


def test_times_on_no_calendar_are_refused():
    ds = [f"2001-01-{day}" for day in ("01", "02", "03", "04T07:07")]
    assert refusal(series(ds)) == (
        "series 'mine': time stamps follow no calendar frequency, the usual step is 1 days 00:00:00"
        " but another ends at 2001-01-04 07:07:00; expected hourly, daily, weekly, monthly on the"
        " last day or on one from the 1st to the 28th, or another regular step; resample the series first"
    )


def test_a_number_off_the_grid_is_refused():
    assert refusal(series([0, 10, 20, 25, 30, 40])) == (
        "series 'mine': time stamp 25 is off the regular grid of its series, in steps of 10;"
        " resample the series first"
    )


@pytest.mark.parametrize(
    ("ds", "found"),
    [
        ([0, 1, 2, 10**12], "4 rows from 0 to 1000000000000, some 1 apart"),
        (
            pd.to_datetime(["1924-01-01T00", "1924-01-01T01", "1924-01-01T02", "2024-01-01T00"]),
            "4 rows from 1924-01-01 to 2024-01-01, some 0 days 01:00:00 apart",
        ),
    ],
)
def test_one_wrong_time_does_not_ask_for_a_grid_of_a_century(ds, found):
    assert refusal(series(ds), fill="linear") == (
        f"series 'mine': {found}, leave more than 100 gaps a row; mend the time stamps, say their"
        " form by date_format or dayfirst, or resample the series first"
    )


def test_a_frequency_is_tried_once_however_long_the_series(monkeypatch):
    tried = []
    grid = pd.date_range
    ds = pd.date_range("2001-01-01", periods=30_000, freq="h").to_series()
    ds.iloc[-1] += pd.Timedelta("7min")
    monkeypatch.setattr(
        pd, "date_range", lambda *a, freq: tried.append(freq) or grid(*a, freq=freq)
    )
    assert "follow no calendar frequency" in refusal(series(ds))
    assert tried == ["h"]


# --- several series ---


def test_series_of_different_lengths_and_frequencies_stand_one_after_another():
    day, month = pd.date_range("2001-01-01", periods=9), pd.date_range("2001", periods=4, freq="MS")
    raw = series([*day, *month], unique_id=["z"] * 9 + ["a"] * 4)
    panel = bring(raw)
    pd.testing.assert_frame_equal(panel, raw, check_dtype=False)
    assert panel["unique_id"].tolist() == raw["unique_id"].tolist()


def test_rows_that_alternate_between_series_are_brought_together():
    panel = bring(series([1, 1, 2, 2, 3, 3], unique_id=list("ababab")))
    assert panel["unique_id"].tolist() == list("aaabbb")
    assert panel["y"].tolist() == [0, 2, 4, 1, 3, 5]
    assert PanelSchema().validate(panel) is panel


def test_a_gap_of_one_series_leaves_the_others_alone():
    raw = series([1, 2, 3, 1, 2, 4], unique_id=list("aaabbb"))
    panel = bring(raw, fill="linear")
    assert panel.groupby("unique_id").size().to_dict() == {"a": 3, "b": 4}
    assert refusal(raw) == (
        "series 'b': 1 of 4 values are missing, from 3 to 3; set fill to last, linear or seasonal,"
        " or mend the file"
    )


@pytest.mark.parametrize("rows", [1, 2])
def test_a_series_too_short_for_a_grid_is_kept(rows):
    ds = pd.date_range("2001-01-01", periods=rows)
    assert bring(series(ds))["ds"].tolist() == ds.tolist()


# --- filling ---


holes = st.lists(
    st.one_of(st.none(), st.floats(-1e6, 1e6, allow_subnormal=False)), min_size=3, max_size=30
).filter(lambda values: any(value is not None for value in values))


def array(values):
    return np.array([np.nan if value is None else value for value in values])


def span(y):
    """From the first known value to the last: what is before had not begun, what is after is to come."""
    known = np.flatnonzero(~np.isnan(y))
    return y[known[0] : known[-1] + 1]


@given(values=holes, season=st.integers(1, 8), fill=st.sampled_from(["last", "seasonal", "linear"]))
def test_a_gap_is_filled_from_rows_before_it_and_marked(values, season, fill):
    y = array(values)
    panel = bring(series(range(len(y)), y), fill=fill, season=season)
    expected, rows = span(y).copy(), span(y)
    for i in np.flatnonzero(np.isnan(rows)):
        back = season if fill == "seasonal" and i >= season else 1
        same = rows[i % season : i : season] if back > 1 or fill == "seasonal" else rows[:i]
        known = same[~np.isnan(same)]
        expected[i] = known[-1] if len(known) else expected[i - 1]
    np.testing.assert_array_equal(panel["y"], expected)
    if np.isnan(rows).any():
        np.testing.assert_array_equal(panel["observed"], ~np.isnan(rows))
    else:
        assert panel.columns.tolist() == PANEL_COLUMNS


@given(values=holes, cut=st.integers(1, 30), later=st.floats(-9, 9), fill=st.sampled_from(FILLS))
def test_no_filled_value_knows_what_came_after_a_cutoff(values, cut, later, fill):
    y = array(values)
    other = np.where(np.arange(len(y)) < cut, y, later)
    first, second = (
        bring(series(range(len(y)), own), fill=fill, season=3).set_index("ds")["y"]
        for own in (y, other)
        if not np.isnan(own).all()
    )
    shared = [ds for ds in first.index if ds < cut and ds in second.index]
    assert first[shared].tolist() == second[shared].tolist()


@given(values=holes, train=st.integers(1, 30), fill=st.sampled_from(FILLS))
def test_lines_are_drawn_inside_the_train_part_alone(values, train, fill):
    y = array(values)
    panel = bring(series(range(len(y)), y), fill=fill, season=3)
    rows = span(y)
    train = min(train, len(rows))
    parts = Parts("mine", 0, train, len(rows) - train, 0)
    seen = drawn(panel, [parts], fill)
    np.testing.assert_array_equal(seen[train:], panel["y"][train:])
    if fill != "linear":
        np.testing.assert_array_equal(seen, panel["y"])
        return
    known = np.flatnonzero(~np.isnan(rows[:train]))
    np.testing.assert_allclose(
        seen[:train], np.interp(np.arange(train), known, rows[known]), rtol=1e-12
    )


@pytest.mark.parametrize("fill", ["error", "linear", "seasonal"])
def test_a_series_without_any_value_is_refused_however_it_is_filled(fill):
    raw = series([1, 2, 3, 1, 2, 3], [1, 2, 3, None, None, None], unique_id=list("aaabbb"))
    assert refusal(raw, fill=fill) == "series 'b': all 3 values are missing; drop the series"


# --- laws ---

values = st.lists(st.floats(-1e12, 1e12), min_size=3, max_size=40)


@settings(max_examples=40)
@given(y=values, frequency=st.sampled_from(FREQUENCIES), fill=st.sampled_from(["error", "linear"]))
def test_a_clean_panel_comes_back_unchanged(y, frequency, fill):
    ds = pd.date_range("2001-01-01", periods=len(y), freq=frequency)
    panel = pd.DataFrame({"unique_id": "a", "ds": ds, "y": y}).astype({"unique_id": "str"})
    once = bring(panel, fill=fill)
    pd.testing.assert_frame_equal(once, panel)
    pd.testing.assert_frame_equal(bring(once, fill=fill), once)


@settings(max_examples=40)
@given(data=st.data(), frequency=st.sampled_from(FREQUENCIES), slope=st.floats(-10, 10))
def test_rows_dropped_from_a_line_are_restored(data, frequency, slope):
    n = 40
    # The first rows stay, so that the frequency can be told.
    dropped = data.draw(st.sets(st.integers(12, n - 2), max_size=20))
    ds = pd.date_range("2001-01-01", periods=n, freq=frequency)
    whole = series(ds, 5 + slope * np.arange(n), unique_id="a")
    panel = bring(whole.drop(index=list(dropped)), fill="linear")
    assert panel["ds"].tolist() == whole["ds"].tolist()
    seen = drawn(panel, [Parts("a", 0, n, 0, 0)], "linear")
    np.testing.assert_allclose(seen, whole["y"], atol=1e-9)


# --- the validator of the catalog ---


def panel(**changes):
    columns = {"unique_id": list("aabb"), "ds": [1, 2, 1, 2], "y": [1.0, 2.0, 3.0, 4.0], **changes}
    return pd.DataFrame(columns)


def test_a_panel_passes_its_schema_as_it_is():
    good = panel()
    assert PanelSchema().validate(good) is good


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (
            panel().rename(columns={"y": "sales"}),
            "panel has columns ['unique_id', 'ds', 'sales']; expected ['unique_id', 'ds', 'y']; run"
            " the forecasting pipeline from the raw file",
        ),
        (
            panel(y=[1.0, np.nan, 3.0, 4.0]),
            "panel column y holds missing or infinite values; expected numbers",
        ),
        (
            panel(y=[1.0, np.inf, 3.0, 4.0]),
            "panel column y holds missing or infinite values; expected numbers",
        ),
        (
            panel(y=list("1234")),
            "panel column y holds missing or infinite values; expected numbers",
        ),
        (
            panel(ds=[2, 1, 1, 2]),
            "panel rows are not sorted; expected each series in one block, oldest row first",
        ),
        (
            panel(ds=[1, 1, 1, 2]),
            "panel rows are not sorted; expected each series in one block, oldest row first",
        ),
        (
            panel(unique_id=list("abab"), ds=[1, 1, 2, 2]),
            "panel rows are not sorted; expected each series in one block, oldest row first",
        ),
    ],
)
def test_what_is_no_panel_is_refused(bad, sentence):
    with pytest.raises(InputError) as caught:
        PanelSchema().validate(bad)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("freq", "day", "step"),
    [
        ("MS", 10, "MS+9D"),
        ("MS", 28, "MS+27D"),
        ("QS-FEB", 15, "QS-FEB+14D"),
        ("YS-JUN", 15, "YS-JUN+14D"),
    ],
)
def test_months_may_be_stamped_on_any_day_that_all_have(freq: str, day: int, step: str) -> None:
    firsts = pd.date_range("2001-01-01 06:00", periods=40, freq=freq)
    ds = firsts + pd.Timedelta(days=day - 1)
    rows = pd.DataFrame({"unique_id": "a", "ds": ds, "y": np.arange(40.0)})
    panel, grids = regular(rows[:36].drop(index=20), "last", 1)
    assert (grids["a"].step, panel["ds"].tolist()) == (step, ds[:36].tolist())
    assert following(panel["ds"], 4, step).tolist() == ds[36:].to_numpy().tolist()
    later, _ = regular(rows[36:], "error", 1, grids.get)
    assert later["ds"].tolist() == ds[36:].tolist()
    moved = rows[36:].assign(ds=ds[36:] + pd.Timedelta(days=1))
    with pytest.raises(
        InputError, match=r"is off the grid that the series was trained on, in steps"
    ):
        regular(moved, "error", 1, grids.get)
