"""Time stamps in the forms that people write."""

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.errors import InputError
from unrolled.series.panel import runs_of
from unrolled.series.times import Times, read

MONTHS = pd.date_range("2015-01-01", periods=40, freq="MS")
DAYS = pd.date_range("2015-01-01", periods=60, freq="D")
HOURS = pd.date_range("2015-01-01", periods=60, freq="h")


def parsed(stamps, known=None, ids=None, **options):
    ds = pd.Series(stamps)
    ids = pd.Series("a", index=ds.index) if ids is None else pd.Series(ids)
    return read(ds, ids, "when", known=known, **options)


def refusal(stamps, **options):
    with pytest.raises(InputError) as caught:
        parsed(stamps, **options)
    return str(caught.value)


def quarters(form):
    return [
        form.replace("%Y", str(y)).replace("%q", str(q))
        for y in range(2010, 2020)
        for q in range(1, 5)
    ]


FORMS = [
    ("%Y-%m-%d", DAYS),
    ("%Y-%m", MONTHS),
    ("%Y/%m/%d", DAYS),
    ("%Y.%m.%d", DAYS),
    ("%d.%m.%Y", DAYS),
    ("%d/%m/%Y", MONTHS),
    ("%m/%d/%Y", MONTHS),
    ("%d-%m-%Y", DAYS),
    ("%d/%m/%y", MONTHS),
    ("%m/%d/%y", MONTHS),
    ("%m/%Y", MONTHS),
    ("%b-%y", MONTHS),
    ("%b %Y", MONTHS),
    ("%B %Y", MONTHS),
    ("%d-%b-%Y", DAYS),
    ("%d %B %Y", DAYS),
    ("%B %d, %Y", DAYS),
    ("%a, %d %b %Y", DAYS),
    ("%d%b%Y", DAYS),
    ("%YM%m", MONTHS),
    ("%Y%m", MONTHS),
    ("%Y%m%d", DAYS),
    ("%Y%m%d%H%M", HOURS),
    ("%Y%m%d%H%M%S", HOURS),
    ("%d.%m.%Y %H:%M", HOURS),
    ("%d/%m/%Y %H:%M:%S", HOURS),
    ("%m/%d/%Y %I:%M %p", HOURS),
    ("%m/%d/%Y, %I:%M:%S %p", HOURS),
    ("%Y-%m-%dT%H:%M:%S.%f", HOURS),
]


@pytest.mark.parametrize(("form", "times"), FORMS, ids=[form for form, _ in FORMS])
def test_a_form_is_found_from_the_whole_column(form, times):
    found, how = parsed(times.strftime(form))
    assert found.tolist() == times.tolist()
    again, _ = parsed(times[-1:].strftime(form), known=how)
    assert again.tolist() == times[-1:].tolist()


@pytest.mark.parametrize("form", ["%Y-Q%q", "%YQ%q", "Q%q %Y", "%Y q%q", "q%q-%Y"])
def test_a_quarter_is_its_first_day(form):
    found, how = parsed(quarters(form))
    assert found.tolist() == pd.date_range("2010-01-01", periods=40, freq="QS").tolist()
    assert how.form == form


@pytest.mark.parametrize("form", ["%G-W%V", "%GW%V", "%G-W%V-%u"])
def test_an_iso_week_is_its_monday(form):
    mondays = pd.date_range("2014-12-29", periods=110, freq="W-MON")
    assert parsed(mondays.strftime(form))[0].tolist() == mondays.tolist()


@pytest.mark.parametrize(("unit", "scale"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
@pytest.mark.parametrize("kind", ["int64", "str"])
def test_seconds_since_1970_are_told_by_their_size(unit, scale, kind):
    counts = pd.Series([int(time.timestamp()) * scale for time in HOURS]).astype(kind)
    found, how = parsed(counts)
    assert found.tolist() == HOURS.tolist()
    assert how.form == unit


def test_days_of_a_spreadsheet_are_told_by_the_calendar_that_they_make():
    days = [(time - pd.Timestamp(1899, 12, 30)).days for time in MONTHS]
    found, how = parsed(days)
    assert (found.tolist(), how.form) == (MONTHS.tolist(), "excel")
    assert parsed([day + 0.25 for day in days])[0].tolist() == [
        time + pd.Timedelta("6h") for time in MONTHS
    ]


def test_whole_numbers_that_may_be_days_or_steps_are_refused_until_it_is_said():
    days = range(42_005, 42_045)
    assert refusal(days) == (
        "column when: 42005 and all other time stamps may be read as whole numbers, which count"
        " steps (42005 to 42044) or as days since 1899-12-30, as a spreadsheet counts (2015-01-01 to"
        " 2015-02-09), and the rows do not tell which; say it by the option date_format, as in"
        " date_format=number"
    )
    assert parsed(days, date_format="number")[0].tolist() == list(days)
    assert parsed(days, date_format="excel")[0].iloc[0] == pd.Timestamp(2015, 1, 1)


@pytest.mark.parametrize("stamps", [range(1949, 1961), range(0, 400, 4), range(20_150, 20_190)])
def test_other_whole_numbers_count_steps(stamps):
    found, how = parsed(stamps)
    assert (found.tolist(), how.form) == (list(stamps), "number")


@pytest.mark.parametrize("first", ["%d/%m/%Y", "%m/%d/%Y"])
def test_day_and_month_are_told_apart_by_what_is_regular(first):
    found, how = parsed(MONTHS.strftime(first))
    assert (found.tolist(), how.form) == (MONTHS.tolist(), first)
    days = pd.date_range("2015-01-01", periods=13)
    assert parsed(days.strftime(first))[1].form == first


def test_one_gap_does_not_make_the_other_form_regular():
    stamps = MONTHS.delete(7).strftime("%d/%m/%Y")
    assert parsed(stamps)[0].tolist() == MONTHS.delete(7).tolist()


def test_a_column_that_two_forms_make_regular_is_refused_until_it_is_said():
    year = pd.date_range("2015-01-01", periods=12, freq="MS")
    stamps = year.strftime("%d/%m/%Y")
    assert refusal(stamps) == (
        "column when: '01/01/2015' and all other time stamps may be read as %d/%m/%Y (2015-01-01 to"
        " 2015-12-01) or as %m/%d/%Y (2015-01-01 to 2015-01-12), and the rows do not tell which; say"
        " it by the option date_format, as in date_format=%d/%m/%Y"
    )
    assert parsed(stamps, date_format="%d/%m/%Y")[0].tolist() == year.tolist()
    assert parsed(stamps, dayfirst=True)[0].tolist() == year.tolist()
    january = pd.date_range("2015-01-01", periods=12)
    assert parsed(stamps, dayfirst=False)[0].tolist() == january.tolist()


def test_every_series_of_a_panel_has_a_say():
    two = [*MONTHS.strftime("%d/%m/%Y"), *MONTHS[:12].strftime("%d/%m/%Y")]
    found, _ = parsed(two, ids=["a"] * 40 + ["b"] * 12)
    assert found.tolist() == [*MONTHS, *MONTHS[:12]]


def test_a_two_digit_year_lies_in_no_future_and_later_files_go_on_from_there():
    old = pd.date_range("1964-01-01", periods=108, freq="MS")
    found, how = parsed(old.strftime("%b-%y"))
    assert (found.tolist(), how.first_year) == (old.tolist(), 1964)
    assert parsed(["Jan-73"], known=how)[0].tolist() == [pd.Timestamp("1973-01-01")]
    turn = pd.date_range("1998-01-01", periods=48, freq="MS")
    found, how = parsed(turn.strftime("%d/%m/%y"))
    assert found.tolist() == turn.tolist()
    last = datetime.date.today().year
    ahead = parsed([f"01/02/{(last + 1) % 100:02d}"], known=how)[0]
    assert ahead.tolist() == [pd.Timestamp(last + 1, 2, 1)]


@pytest.mark.parametrize(
    ("stamps", "found"),
    [
        (["1-01", "1-02", "1-03"], "'1-01' looks like a month and a year of two digits or fewer"),
        (["09:00", "10:00", "11:00"], "'09:00' looks like a time of day without its date"),
        (["Jan", "Feb", "Mar"], "'Jan' looks like a month without its year"),
    ],
)
def test_what_leaves_something_out_is_named(stamps, found):
    assert found in refusal(stamps)


@pytest.mark.parametrize("word", ["now", "today", "NaT", "nan", "yesterday", ""])
def test_a_word_is_no_time(word):
    assert f"{word!r} in row 2" in refusal(["2015-01-01", word, "2015-01-03"])


def test_the_stamp_that_is_not_as_the_others_is_named():
    stamps = list(DAYS.strftime("%d.%m.%Y"))
    stamps[7] = "2015-01-08"
    assert refusal(stamps) == (
        "column when: 1 of 60 time stamps cannot be read as a date, the first is '2015-01-08' in row"
        " 8; expected dates of the form %d.%m.%Y, which the others have"
    )


def test_a_later_file_in_another_form_is_refused():
    how = parsed(DAYS.strftime("%d.%m.%Y"))[1]
    assert refusal(DAYS.strftime("%m/%d/%Y"), known=how) == (
        "column when: 60 of 60 time stamps cannot be read as a date, the first is '01/01/2015' in"
        " row 1; expected dates of the form %d.%m.%Y, in which this series is read"
    )
    number = parsed(range(40))[1]
    assert "this file has dates, but the series was trained on whole numbers" in refusal(
        DAYS, known=number
    )


# --- clocks ---


def zoned(first, hours, zone, step="h"):
    return pd.date_range(first, periods=hours, freq=step, tz=zone)


def written(times):
    return [time.isoformat() for time in times]


@pytest.mark.parametrize("form", [written, list], ids=["text", "times"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata"])
def test_hours_are_kept_on_one_clock_over_every_change(form, zone):
    year = zoned("2021-02-20", 6500, zone)  # over both changes, and their lost and doubled hours
    found, how = parsed(form(year))
    assert how.clock == ("+05:30" if zone == "Asia/Kolkata" else "UTC")
    assert (found.diff().dropna() == pd.Timedelta("1h")).all()
    for part in (year[:48], year[3000:3048], year[-48:]):  # each on one side of the changes
        assert parsed(form(part), known=how)[0].tolist() == found[year.get_indexer(part)].tolist()


def test_hours_of_one_offset_stay_on_its_clock_when_the_clocks_change_later():
    winter = zoned("2021-01-01", 200, "Europe/Berlin")
    found, how = parsed(written(winter))
    assert (how.clock, found.iloc[0]) == ("+01:00", pd.Timestamp("2021-01-01"))
    summer = zoned("2021-07-01", 3, "Europe/Berlin")
    assert parsed(written(summer), known=how)[0].iloc[0] == pd.Timestamp("2021-06-30 23:00")


@pytest.mark.parametrize("step", ["D", "W-MON", "MS", "QS"])
def test_days_and_longer_keep_the_clock_that_they_show(step):
    times = zoned("2021-01-01", 60, "Europe/Berlin", step)
    found, how = parsed(written(times))
    assert how.clock == "local"
    assert found.tolist() == times.tz_localize(None).tolist()
    winter = times[times.month <= 2]
    assert parsed(written(winter), known=how)[0].tolist() == winter.tz_localize(None).tolist()


def test_one_clock_holds_for_a_panel():
    one, other = zoned("2021-03-27", 72, "Europe/Berlin"), zoned("2021-01-01", 72, "Europe/Berlin")
    found, how = parsed(written([*one, *other]), ids=["a"] * 72 + ["b"] * 72)
    assert how.clock == "UTC"
    assert found.tolist() == [*one.tz_convert(None), *other.tz_convert(None)]


def test_a_later_file_on_another_clock_is_refused():
    plain, utc = Times(form="ISO8601"), Times(form="ISO8601", clock="UTC")
    assert "have an offset from UTC (2021-01-01T10:00:00+01:00), but those" in refusal(
        ["2021-01-01T10:00:00+01:00"], known=plain
    )
    midnight = parsed(["2021-01-01T00:00:00+01:00"], known=plain)[0]  # of days none is needed
    assert midnight.tolist() == [pd.Timestamp("2021-01-01")]
    assert "have no offset from UTC, but those that the series was trained on had" in refusal(
        ["2021-01-01T00:00:00"], known=utc
    )
    local = Times(form="ISO8601", clock="local")
    assert parsed(["2021-01-01"], known=local)[0].tolist() == [pd.Timestamp("2021-01-01")]


def test_stamps_of_which_some_have_an_offset_are_refused():
    assert "'2021-01-02T00:00:00' in row 2" in refusal(
        ["2021-01-01T00:00:00Z", "2021-01-02T00:00:00", "2021-01-03T00:00:00Z"]
    )


# --- laws ---


@settings(max_examples=60, deadline=None)
@given(
    first=st.datetimes(datetime.datetime(1950, 1, 1), datetime.datetime(2020, 1, 1)),
    step=st.sampled_from(["MS", "D", "W", "QS", "ME", "B"]),
    rows=st.integers(30, 60),
    form=st.sampled_from(["%d/%m/%Y", "%m/%d/%Y", "%Y-%m-%d", "%d-%b-%Y", "%Y%m%d", "%d.%m.%y"]),
)
def test_what_is_read_is_what_was_written_or_a_question(first, step, rows, form):
    times = pd.date_range(first.date(), periods=rows, freq=step)
    if "%y" in form and times[-1].year - times[0].year > 60:
        return
    try:
        found, how = parsed(times.strftime(form))
    except InputError as error:
        assert "may be read as" in str(error)  # noqa: PT017
        return
    expected = times
    if "%y" in form:
        century = [time.year - time.year % 100 for time in times]
        assert {time.year % 100 for time in found} == {time.year % 100 for time in times}
        expected = found if century and times[0].year < 1970 else times
    assert found.tolist() == expected.tolist()
    assert how.clock == ""


@given(micros=st.lists(st.integers(0, 10**12), min_size=3, max_size=9, unique=True))
def test_no_digit_of_a_second_is_lost(micros):
    times = pd.Timestamp("2024-05-01") + pd.to_timedelta(np.sort(micros), unit="us")
    assert parsed(times.strftime("%Y-%m-%dT%H:%M:%S.%f"))[0].tolist() == times.tolist()
    assert parsed(times)[0].tolist() == times.tolist()


@pytest.mark.parametrize(
    ("stamps", "times"),
    [
        ([f"{q}Q{y}" for y in range(2010, 2013) for q in range(1, 5)], "QS"),
        ([f"FY{y} Q{q}" for y in range(2010, 2013) for q in range(1, 5)], "QS"),
        ([f"{y}:Q{q}" for y in range(2010, 2013) for q in range(1, 5)], "QS"),
        ([f"{m}.{y}" for y in range(2010, 2012) for m in range(1, 13)], "MS"),
        ([f"{time:%B %Y}" for time in pd.date_range("2010-05-01", periods=12, freq="MS")], "MS5"),
        ([f"{y}年{m}月" for y in range(2010, 2012) for m in range(1, 13)], "MS"),
    ],
)
def test_other_ways_to_write_months_and_quarters(stamps, times):
    first = "2010-05-01" if times == "MS5" else "2010-01-01"
    expected = pd.date_range(first, periods=len(stamps), freq=times[:2])
    assert parsed(stamps)[0].tolist() == expected.tolist()


@pytest.mark.parametrize("form", ["KW {}/2024", "W{:02d} 2024", "2024 week {}"])
def test_weeks_are_weeks(form):
    found, _ = parsed([form.format(week) for week in range(1, 53)])
    assert found.tolist() == pd.date_range("2024-01-01", periods=52, freq="W-MON").tolist()


@pytest.mark.parametrize("word", ["T{} 2000", "X{} 2000", "H{} 2000"])
def test_a_number_after_other_letters_is_no_month(word):
    assert "cannot be read as a date" in refusal([word.format(n) for n in (1, 2, 3, 4)])


def test_compact_hours_are_no_seconds_and_seconds_no_hours():
    hours = pd.date_range("2024-01-01", periods=100, freq="h")
    assert parsed(hours.strftime("%Y%m%d%H"))[0].tolist() == hours.tolist()
    for first in ("2020-10-01", "2024-01-01", "2030-06-01"):
        times = pd.date_range(first, periods=50, freq="h")
        counts = [int(time.timestamp()) for time in times]
        assert parsed(counts)[0].tolist() == times.tolist()


@pytest.mark.parametrize(("form", "rows"), [("%G%V", 200), ("%Y%j", 500), ("%y%m%d", 60)])
def test_compact_dates_are_told_by_the_grid_that_they_make(form, rows):
    times = pd.date_range("2021-01-04", periods=rows, freq="W-MON" if form == "%G%V" else "D")
    assert parsed(times.strftime(form))[0].tolist() == times.tolist()
    few = times[20:24].strftime(form)
    assert "may be read as" in refusal(few)


@pytest.mark.parametrize("values", [["1704067200.0", "1704070800.0", "1704074400.0"]])
def test_whole_numbers_with_a_point_are_whole_numbers(values):
    assert parsed(values)[0].iloc[0] == pd.Timestamp("2024-01-01")


def test_years_that_end_in_the_next_are_refused():
    years = [f"{y}-{(y + 1) % 100:02d}" for y in range(1998, 2012)]
    assert "look like years that end in the next one" in refusal(years)


@pytest.mark.parametrize("offset", ["Z", "+01:00", "-05:00"])
def test_a_day_with_an_offset_is_a_day(offset):
    found, how = parsed([f"{day:%Y-%m-%d}{offset}" for day in DAYS])
    assert (found.tolist(), how.clock) == (DAYS.tolist(), "local")


def test_basic_iso_with_its_offset_is_read():
    found, how = parsed([f"{hour:%Y%m%dT%H%M%S}Z" for hour in HOURS])
    assert (found.tolist(), how.clock) == (HOURS.tolist(), "UTC")
    assert "cannot be read" in refusal(["2024-01-01T00:00:00+25:00"] * 3)


WRITTEN = ["2024-01-01", "2024-01-011", "12024-01-01", "2024-01-02", "02.01.2024", "24-01-02"]
BLOCKS = st.lists(st.sampled_from(WRITTEN), min_size=1, max_size=3)


@settings(max_examples=40, deadline=None)
@given(BLOCKS, st.lists(BLOCKS | st.none(), max_size=3), st.sampled_from(["str", "datetime64[us]"]))
def test_a_panel_of_the_same_times_is_read_like_any_other(first, others, dtype):
    blocks = [first, *(first if other is None else other for other in others)]
    cells = pd.Series([cell for block in blocks for cell in block], dtype="str")
    if dtype != "str":
        cells = cells.map({cell: at for at, cell in enumerate(WRITTEN)}).astype(dtype)
    ids = pd.Series(np.repeat(list("wxyz")[: len(blocks)], list(map(len, blocks))), dtype="str")
    found = []
    for runs in (None, runs_of(ids)):
        try:
            ds, how = read(cells, ids, "ds", runs=runs)
            found.append((ds.tolist(), how))
        except InputError as error:
            found.append(str(error))
    assert found[0] == found[1]


def hours_to_24(form):
    return [
        time.strftime(form)
        if time.hour
        else (time - DAYS.freq).strftime(form).replace("00:", "24:", 1)
        for time in HOURS[1:]
    ]


@pytest.mark.parametrize(
    "form", ["%Y-%m-%d %H:%M", "%d.%m.%Y %H:%M", "%Y-%m-%dT%H:%M:%S", "%m/%d/%Y, %H:%M"]
)
def test_the_hour_24_is_midnight_of_the_next_day(form):
    stamps = hours_to_24(form)
    assert "24:" in stamps[23]
    assert parsed(stamps)[0].tolist() == HOURS[1:].tolist()
    late, how = parsed([f"{stamp}+01:00" for stamp in stamps])
    assert (late.tolist(), how.clock) == (HOURS[1:].tolist(), "+01:00")


def test_hours_from_1_to_24_without_minutes_are_read_where_their_form_is_said():
    stamps = [f"{day:%d.%m.%Y} {hour}" for day in DAYS[:3] for hour in range(1, 25)]
    assert "say the form, such as date_format='%d.%m.%Y %H'" in refusal(stamps)
    times = pd.date_range("2015-01-01 01:00", periods=72, freq="h").tolist()
    assert parsed(stamps, date_format="%d.%m.%Y %H")[0].tolist() == times
    compact = [f"{day:%Y%m%d}{hour:02d}" for day in DAYS[:3] for hour in range(1, 25)]
    assert parsed(compact)[0].tolist() == times


@pytest.mark.parametrize("stamp", ["2015-01-01 24:01", "2015-01-01 25:00", "2015-02-30 24:00"])
def test_no_other_hour_is_beyond_23(stamp):
    assert f"{stamp!r} in row 2" in refusal(["2015-01-01 00:00", stamp, "2015-01-03 00:00"])


@pytest.mark.parametrize("halves", [("a.m.", "p.m."), ("A.M.", "P.M."), ("a. m.", "p. m.")])
def test_halves_of_a_day_may_have_points(halves):
    stamps = [f"{time:%m/%d/%Y %I:%M} {halves[time.hour // 12]}" for time in HOURS]
    assert parsed(stamps)[0].tolist() == HOURS.tolist()


@pytest.mark.parametrize("form", ["%b %Y", "%b. %Y", "%d-%b-%y", "%B %Y"])
def test_months_may_be_short_in_one_row_and_long_in_another(form):
    stamps = MONTHS.strftime(form).str.replace("Sep ", "Sept ").str.replace("May.", "May")
    mixed = [stamp.replace("Jun", "June").replace("Junee", "June") for stamp in stamps]
    assert parsed(mixed)[0].tolist() == MONTHS.tolist()
    assert parsed(mixed[8:])[0].tolist() == MONTHS[8:].tolist()


def test_days_of_a_spreadsheet_may_have_a_decimal_comma():
    stamps = [f"{42005 + half / 2}".replace(".", ",") for half in range(60)]
    times = pd.date_range("2015-01-01", periods=60, freq="12h")
    assert parsed(stamps)[0].tolist() == times.tolist()


ZONED = (
    ": write each time with its offset from UTC alone, such as 2024-12-31T23:00:00+01:00"
    ", or take the name out where the clocks are never changed"
)
SPAN = (
    "it looks like the beginning and the end of a span: keep one of the two in the column, the same"
    " in every row"
)
ENGLISH = "', but names of months are read in English: write numbers, such as 2024-12-31"


@pytest.mark.parametrize(
    ("stamp", "sentence"),
    [
        ("1. Januar 2015", "it has the month 'Januar" + ENGLISH),
        ("01-Mär-15", "it has the month 'Mär" + ENGLISH),
        ("1 de enero de 2015", "it has the month 'enero" + ENGLISH),
        ("août 2015", "it has the month 'août" + ENGLISH),
        ("2015-03-01 00:00 CET", "it has the name of a time zone, 'CET'" + ZONED),
        ("03/01/2015 00:00 EST", "it has the name of a time zone, 'EST'" + ZONED),
        (
            "2015-03-01 00:00 Europe/Berlin",
            "it has the name of a time zone, 'Europe/Berlin'" + ZONED,
        ),
        (
            "2015-03-01T00:00+01:00[Europe/Berlin]",
            "it ends in the name of a time zone, '[Europe/Berlin]': take the name out of the file; an"
            " offset before it says all",
        ),
        (
            "2015-03-01 00:00 GMT+1",
            "it has an offset written as 'GMT+1': write each time with its offset from UTC alone,"
            " such as 2024-12-31T23:00:00+01:00",
        ),
        ("2015-01-01 00:00 - 2015-01-01 01:00", SPAN),
        ("01.01.2015 00:00 - 01.01.2015 01:00 (CET)", SPAN),
        ("2015-01-01 14:00-15:00", SPAN),
        ("2015-01-05/2015-01-11", SPAN),
        (
            "2015/2016",
            "it looks like a financial year: write whole years, or the day that each begins with,"
            " such as 2024-07-01",
        ),
        (
            "H1 2015",
            "it looks like half a year: write the month that each begins with, such as 2024-01 and"
            " 2024-07",
        ),
        (
            "1Q15",
            "it looks like a quarter of a year of two digits: write whole years, such as Q1 2024",
        ),
        (
            "T1 2015",
            "it looks like a part of a year: write quarters as Q1 2024, other parts by the month that"
            " each begins with, such as 2024-05",
        ),
        (
            "1990.083",
            "it looks like a year and a fraction of it: write dates, such as 2024-07-01, or count the"
            " rows in whole numbers",
        ),
        (
            "0.1",
            "it looks like a number with a fraction: write dates, such as 2024-12-31, or count the"
            " steps in whole numbers",
        ),
        (
            "1/1/2015 12 AM",
            "it looks like a day and an hour without its minutes: write 11:00 PM, or say the form,"
            " such as date_format='%m/%d/%Y %I %p'",
        ),
        (
            "Total",
            "it has no digit: take the row out where it is of sums or a note, else write a date",
        ),
    ],
)
def test_what_no_form_reads_is_told_by_what_it_looks_like(stamp, sentence):
    assert refusal([stamp] * 3) == (
        "column when: 3 of 3 time stamps cannot be read as a date, the first is"
        f" {stamp!r} in row 1; {sentence}"
    )


def test_no_digit_is_lost_beside_the_hour_24():
    stamps = [
        "2015-01-01T23:59:59.999999999",
        "2015-01-01T24:00:00",
        "2015-01-02T00:00:00.000000001",
    ]
    assert [str(time) for time in parsed(stamps)[0]] == [
        "2015-01-01 23:59:59.999999999",
        "2015-01-02 00:00:00",
        "2015-01-02 00:00:00.000000001",
    ]


@pytest.mark.parametrize("kind", ["int64", "str"])
def test_years_and_months_of_four_digits_are_told_from_steps_by_the_grid_that_they_make(kind):
    stamps = pd.Series(MONTHS.strftime("%y%m")).astype(kind)
    found, how = parsed(stamps)
    assert (found.tolist(), how.form, how.first_year) == (MONTHS.tolist(), "%y%m", 2015)
    assert parsed(stamps[:12])[0].tolist() == list(range(1501, 1513))  # years, or steps
    assert "may be read as %y%m" in refusal(pd.Series([2001, 2002, 2003, 2005]).astype(kind))
