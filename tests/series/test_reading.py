"""How a file is read is found once, and holds for every later file of the series."""

import io
import logging

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.errors import InputError
from unrolled.series.options import Columns, SeriesOptions
from unrolled.series.reading import Reading, read

MONTHS = pd.date_range("2015-01-01", periods=40, freq="MS")
Y = np.arange(40) + 0.5


def csv(frame, **options):
    return {"it.csv": frame.to_csv(index=False, **options).encode()}


def rows(**columns):
    return pd.DataFrame({"ds": MONTHS.strftime("%Y-%m-%d"), "y": Y} | columns)


def refusal(files, known=None, **options):
    with pytest.raises(InputError) as caught:
        read(files, SeriesOptions(**options), "it", known)
    return str(caught.value)


EUROPEAN = {
    "it.csv": pd.DataFrame({"Monat": MONTHS.strftime("%d.%m.%Y"), "Absatz": Y})
    .to_csv(index=False, sep=";", decimal=",")
    .encode()
}


def test_what_is_found_is_stated_in_one_line_and_read_again_the_same_way(caplog):
    caplog.set_level(logging.INFO)
    panel, how = read(EUROPEAN, SeriesOptions(), "it")
    assert caplog.messages == [
        "series 'it' is read as 40 rows; semicolons between cells; a decimal comma; Monat as %d.%m.%Y"
        " in steps of MS; Absatz is forecast"
    ]
    assert panel["ds"].tolist() == MONTHS.tolist()
    assert panel["y"].tolist() == Y.tolist()
    kept = Reading.model_validate_json(how.model_dump_json())
    assert kept == how
    caplog.clear()
    last = {"it.csv": b"Monat;Absatz\n01.04.2018;1,5\n"}
    assert read(last, SeriesOptions(), "it", kept)[0]["y"].tolist() == [1.5]
    assert caplog.messages == []


def test_what_a_step_is_need_not_be_told_by_later_rows():
    business = pd.date_range("2015-01-01", periods=40, freq="B")
    _, how = read(csv(rows(ds=business)), SeriesOptions(), "it")
    assert how.steps == "B"
    wednesdays = {"it.csv": b"ds,y\n2015-03-02,1\n2015-03-03,2\n2015-03-04,3\n2015-03-06,4\n"}
    assert "1 of 5 values are missing, from 2015-03-05" in refusal(wednesdays, how)
    saturday = {"it.csv": b"ds,y\n2015-03-06,1\n2015-03-07,2\n"}
    assert refusal(saturday, how) == (
        "series 'it': time stamp 2015-03-07 is off the regular grid of its series, in steps of B;"
        " resample the series first"
    )


@pytest.mark.parametrize(
    ("later", "sentence"),
    [
        (
            {"it.csv": b"Monat,Absatz\n01.04.2018,1\n"},
            "column 'Monat' for ds is missing, the file has Monat,Absatz; expected the columns of the"
            " file that it was trained on, with ';' between them",
        ),
        (
            {"it.csv": b"Monat;Sales\n01.04.2018;1\n"},
            "column 'Absatz' for y is missing, the file has Monat, Sales; expected the columns of",
        ),
        (
            {"it.csv": b"Monat;Absatz\n2018-04-01;1\n"},
            "expected dates of the form %d.%m.%Y, in which",
        ),
        ({"it.csv": b"Monat;Absatz\n01.04.2018;1.5\n"}, "expected numbers such as 1234,5"),
    ],
)
def test_a_later_file_that_contradicts_the_first_is_refused(later, sentence):
    how = read(EUROPEAN, SeriesOptions(), "it")[1]
    assert sentence in refusal(later, how)


@pytest.mark.parametrize(
    "names", [("Month", "Sales"), ("Sales", "Month"), ("ds", "Sales"), ("Month", "y")]
)
def test_of_two_columns_it_is_found_which_is_the_time(names):
    values = {name: Y if name in ("Sales", "y") else MONTHS.strftime("%Y-%m") for name in names}
    panel, how = read(csv(pd.DataFrame(values)), SeriesOptions(), "it")
    assert panel["y"].tolist() == Y.tolist()
    assert {how.columns.ds, how.columns.y} == set(names)


def test_of_more_columns_it_is_asked():
    frame = rows().rename(columns={"y": "Sales"}).assign(Rain=1.0)
    assert refusal(csv(frame)) == (
        "series 'it': column 'y' for y is missing, the file has ds, Sales, Rain; name the right one"
        " by y=NAME, in full series_options.it.columns.y"
    )


@pytest.mark.parametrize("column", ["unique_id", "shop", "#shop"])
def test_names_of_series_are_text(column):
    names = ["NA", "null", "None", "001", "1e5", "1", "01", "on", "2015-01-01", "1.0", "x y"]
    frame = pd.concat([rows(**{column: name}) for name in names])
    panel, _ = read(csv(frame), SeriesOptions(columns=Columns(unique_id=column)), "it")
    assert panel["unique_id"].unique().tolist() == names
    assert len(panel) == 40 * len(names)


def test_a_wide_table_is_one_column_a_series():
    frame = pd.DataFrame({"Month": MONTHS.strftime("%Y-%m"), "001": Y, "NA": Y + 1, "late": Y})
    frame["late"] = frame["late"].where(frame.index > 9)
    options = SeriesOptions(wide=True, columns=Columns(ds="Month"))
    panel, how = read(csv(frame), options, "it")
    assert panel.groupby("unique_id", sort=False).size().to_dict() == {
        "001": 40,
        "NA": 40,
        "late": 30,
    }
    again, _ = read(csv(frame.tail(20)), options, "it", how)
    assert again.groupby("unique_id", sort=False).size().to_dict() == {
        "001": 20,
        "NA": 20,
        "late": 20,
    }


def test_rows_in_which_nothing_stands_are_left_out():
    files = {"it.csv": csv(rows())["it.csv"].replace(b",", b";") + b";\n;\n"}
    assert len(read(files, SeriesOptions(), "it")[0]) == 40


def test_what_has_no_value_at_the_end_is_the_future(caplog):
    frame = rows()
    frame["y"] = frame["y"].where(frame.index < 34)
    panel, _ = read(csv(frame), SeriesOptions(), "it")
    assert panel["ds"].iloc[-1] == MONTHS[33]
    assert (
        "6 rows without a value are left out at the end: the forecast begins there" in caplog.text
    )


def test_rows_from_the_newest_are_turned_round_and_twins_are_counted(caplog):
    frame = pd.concat([rows(unique_id=name) for name in "ab"]).iloc[::-1]
    panel, _ = read(csv(pd.concat([frame.head(1), frame])), SeriesOptions(), "it")
    assert panel["ds"].tolist() == [*MONTHS, *MONTHS]
    assert "the newest row stands first in the file: the rows are turned round" in caplog.text
    assert "1 rows stand twice in the file, and count once" in caplog.text


def test_series_that_were_left_out_of_the_training_are_left_out_of_a_forecast():
    frame = pd.concat([rows(unique_id=name) for name in ("a", "b")])
    how = Reading(dropped={"b": "too short"}, steps="MS")
    assert read(csv(frame), SeriesOptions(), "it", how)[0]["unique_id"].unique().tolist() == ["a"]
    assert "all 1 series of the file were left out" in refusal(
        csv(frame[frame["unique_id"] == "b"]), how
    )


@settings(max_examples=25)
@given(
    order=st.permutations(["a", "b", "c"]),
    interleaved=st.booleans(),
    sep=st.sampled_from(",;\t|"),
    form=st.sampled_from(["%Y-%m-%d", "%d/%m/%Y", "%b %Y", "%Y%m"]),
    y=st.lists(st.floats(-1e9, 1e9).map(lambda one: round(one, 3)), min_size=40, max_size=40),
)
def test_however_a_panel_is_written_it_is_read_the_same(order, interleaved, sep, form, y):
    frame = pd.concat(
        [rows(ds=MONTHS.strftime(form), unique_id=name, y=y) for name in order], ignore_index=True
    )
    if interleaved:
        frame = frame.iloc[np.argsort(np.tile(np.arange(40), 3), kind="stable")]
    panel, _ = read(csv(frame, sep=sep), SeriesOptions(decimal="."), "it")
    assert panel["unique_id"].tolist() == np.repeat(order, 40).tolist()
    assert panel["ds"].tolist() == [*MONTHS] * 3
    assert panel["y"].tolist() == y * 3


def test_a_cell_of_a_wide_table_is_named_by_its_column_and_row():
    frame = pd.DataFrame({"ds": MONTHS.strftime("%Y-%m"), "north": Y, "south": Y.astype(object)})
    frame.loc[3, "south"] = "many"
    assert refusal(csv(frame), wide=True) == (
        "column south: 1 values are not numbers, the first is 'many' in row 4; expected numbers"
        ", or an empty cell where there is no value; a row of units, sums or notes must be taken out"
    )


def test_spaces_around_a_name_are_no_part_of_it():
    frame = pd.concat([rows(unique_id="a").head(20), rows(unique_id=" a ").tail(20)])
    assert read(csv(frame), SeriesOptions(), "it")[0]["unique_id"].unique().tolist() == ["a"]


def test_rows_that_do_not_go_on_where_the_series_began_are_refused():
    days = pd.date_range("2024-01-01", periods=40, tz="Europe/Berlin")
    _, how = read(csv(rows(ds=[day.isoformat() for day in days])), SeriesOptions(), "it")
    later = {"it.csv": b"ds,y\n2024-02-09T23:00:00+00:00,1\n"}
    assert refusal(later, how) == (
        "series 'it': time stamp 2024-02-09 23:00:00 is off the grid that the series was trained on,"
        " in steps of D from 2024-01-01; expected rows that go on from there"
    )
    tens = read(csv(rows(ds=range(0, 400, 10))), SeriesOptions(), "it")[1]
    assert "time stamp 405 is off the grid" in refusal({"it.csv": b"ds,y\n405,1\n415,2\n"}, tens)
    assert read({"it.csv": b"ds,y\n410,1\n"}, SeriesOptions(), "it", tens)[0]["ds"].tolist() == [
        410
    ]


def test_two_digit_years_may_lie_in_the_future_where_there_is_no_value():
    months = pd.date_range("2018-01-01", "2027-04-01", freq="MS")
    y = np.where(months < "2026-06-01", 1.0 + np.arange(len(months)) % 7, np.nan)
    files = csv(pd.DataFrame({"ds": months.strftime("%b-%y"), "y": y}))
    panel, how = read(files, SeriesOptions(), "it")
    assert (panel["ds"].iloc[0], panel["ds"].iloc[-1]) == (months[0], pd.Timestamp("2026-05-01"))
    assert how.times.first_year == 2018


@pytest.mark.parametrize(
    ("column", "values", "sentence"),
    [
        ("Sales", ["1.003,77 €"] * 3, "column Sales: 3 values are not numbers"),
        ("Sales", ["4,560", "4,561", "4,562"], "may be thousands or fractions"),
        ("Day", ["01/01/2024", "02/01/2024", "03/01/2024"], "may be read as"),
        ("Day", ["2024-01-01", "2024-01-02", "soon"], "column Day: 1 of 3 time stamps"),
    ],
)
def test_what_is_wrong_in_one_of_two_columns_is_said_of_it(column, values, sentence):
    frame = pd.DataFrame({"Day": ["2024-01-01", "2024-01-02", "2024-01-03"], "Sales": [1.5, 2, 3]})
    assert sentence in refusal(csv(frame.assign(**{column: values})))


def test_of_two_columns_of_numbers_it_is_asked_which_is_the_time():
    frame = pd.DataFrame({"volume": range(100, 120), "price": np.arange(20) / 4})
    assert "column 'ds' for ds is missing" in refusal(csv(frame))


def test_hours_that_the_clocks_left_out_or_repeat_want_an_offset():
    spring = pd.date_range("2024-03-30", periods=60, freq="h").drop("2024-03-31 02:00")
    autumn = pd.date_range("2024-10-26", periods=60, freq="h").append(
        pd.DatetimeIndex(["2024-10-27 02:00"])
    )
    for times in (spring, autumn.sort_values()):
        frame = pd.DataFrame({"ds": times.strftime("%Y-%m-%d %H:%M"), "y": np.arange(len(times))})
        assert refusal(csv(frame)).endswith(
            "; if the clocks were changed then, write each time with its offset from UTC"
        )


def test_ids_of_a_spreadsheet_are_what_was_typed():
    frame = pd.DataFrame(
        {
            "unique_id": ["001"] * 3 + [1] * 3 + ["12E3"] * 3 + [2.0] * 3,
            "ds": [*pd.date_range("2024-01-01", periods=3)] * 4,
            "y": 1.5,
        }
    )
    file = io.BytesIO()
    frame.to_excel(file, index=False)
    panel, _ = read({"it.xlsx": file.getvalue()}, SeriesOptions(), "it")
    assert panel["unique_id"].unique().tolist() == ["001", "1", "12E3", "2"]


def test_what_no_file_has_shown_may_be_said_for_a_later_one():
    file = io.BytesIO()
    pd.DataFrame({"ds": MONTHS, "y": Y}).to_parquet(file)
    _, how = read({"it.parquet": file.getvalue()}, SeriesOptions(), "it")
    later = {"it.csv": b"ds;y\n2018-05-01;1.234\n"}
    assert "may be thousands or fractions" in refusal(later, how)
    for options, y in (({"decimal": "."}, 1.234), ({"thousands": "."}, 1234.0)):
        assert read(later, SeriesOptions(**options), "it", how)[0]["y"].tolist() == [y]


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (1949, "ds as whole numbers (years, or steps) in steps of 1"),
        (2180, "numbers in steps of 1"),
    ],
)
def test_numbers_that_may_be_years_are_said_to_be(caplog, first, said):
    caplog.set_level("INFO")
    read(csv(pd.DataFrame({"ds": range(first, first + 40), "y": Y})), SeriesOptions(), "it")
    assert said in caplog.text


def test_what_stands_above_the_names_of_the_columns_must_be_taken_out():
    table = "ds,y\n2024-01-01,1.5\n2024-01-02,2.5\n"
    assert refusal({"it.csv": f"Sales, monthly\n{table}".encode()}) == (
        "series 'it': column 'ds' for ds is missing, the file has Sales, monthly, and 'ds' stands in"
        " row 1; take out what stands above the names of the columns"
    )
    assert refusal({"it.csv": f"Sales\n\nin kWh\n{table}".encode()}) == (
        "file 'it.csv': its first line is 'Sales', and the names of the columns seem to be 'ds,y' in"
        " line 4; take out what stands above them"
    )


def test_a_line_of_sums_or_a_note_is_named():
    table = "ds;y\n2024-01-01;1.5\n2024-01-02;2.5\n"
    assert refusal({"it.csv": f"{table}Total;4\n".encode()}).endswith(
        "the first is 'Total' in row 3; it has no digit: take the row out where it is of sums or a"
        " note, else write a date"
    )
    assert refusal({"it.csv": f"{table}Source: us\n".encode()}) == (
        "file 'it.csv': a row has 1 cells where the header has 2: 'Source: us'; mend that row, or"
        " take it out where it is a title or a note"
    )
