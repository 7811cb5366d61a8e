"""Numbers in the forms that people write."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.errors import InputError
from unrolled.series.numbers import Marks, read

NONE = ", or an empty cell where there is no value; a row of units, sums or notes must be taken out"
Y = [1234.5, 0.25, -1234567.75, 12.0]


def parsed(values, marks=None, sep=",", **options):
    return read(pd.Series(values), "sales", marks or Marks(), sep, **options)


def refusal(values, marks=None, sep=",", **options):
    with pytest.raises(InputError) as caught:
        parsed(values, marks, sep, **options)
    return str(caught.value)


def written(decimal, thousands):
    plain = [f"{y:,}" for y in Y]
    return [text.replace(",", "x").replace(".", decimal).replace("x", thousands) for text in plain]


@pytest.mark.parametrize(
    ("decimal", "thousands"),
    [
        (".", ""),
        (",", ""),
        (".", ","),
        (",", "."),
        (",", " "),
        (".", " "),
        (",", "\u202f"),
        (",", "\u2009"),
        (",", "\u00a0"),
        (".", "'"),
        (".", "’"),
    ],
)
def test_the_marks_are_found_from_the_whole_column(decimal, thousands):
    found, marks = parsed(written(decimal, thousands), sep=";")
    assert found.tolist() == Y
    assert marks.decimal == decimal
    assert (marks.thousands is None) == (thousands == "")
    again, _ = parsed(written(decimal, thousands)[:1], marks, sep=";", known=True)
    assert again.tolist() == Y[:1]


@pytest.mark.parametrize(
    ("values", "sep", "remedy"),
    [
        (["1,234", "5,678"], ",", 'thousands="," or decimal=","'),
        (["1,234", "567"], ";", 'thousands="," or decimal=","'),
        (["1.234", "5.678"], ";", "thousands=. or decimal=."),
    ],
)
def test_what_may_be_thousands_or_fractions_is_refused_until_it_is_said(values, sep, remedy):
    assert refusal(values, sep=sep) == (
        f"column sales: {values[0]!r} and all like it may be thousands or fractions; say which:"
        f" {remedy}"
    )
    mark = values[0][1]
    assert parsed(values, Marks(thousands=mark), sep)[0].iloc[0] == 1234
    assert parsed(values, Marks(decimal=mark), sep)[0].iloc[0] == 1.234


def test_where_the_comma_is_said_a_point_before_three_digits_marks_thousands():
    comma = Marks(decimal=",")
    assert parsed(["1.234,5", "2.345.678"], comma, ";")[0].tolist() == [1234.5, 2345678]
    assert "'1.5' in row 1" in refusal(["1.5", "1234,5"], comma, ";")


@pytest.mark.parametrize(
    ("values", "y"),
    [
        (["1.234", "987,5", "1.000", "999,25"], [1234, 987.5, 1000, 999.25]),
        (["500", "584,1", "5.000"], [500, 584.1, 5000]),
        (["12,5", "1.250"], [12.5, 1250]),
        (["1,234", "987.5"], [1234, 987.5]),
        (["0,125", "0,130"], [0.125, 0.13]),
        (["0.125", "1.130"], [0.125, 1.13]),
        (["1.234.567", "1.000"], [1234567, 1000]),
        (["12,34,567.5", "1,000"], [1234567.5, 1000]),  # as in India
        (["1 234", "999,5"], [1234, 999.5]),
        (["−1,5", "2,25"], [-1.5, 2.25]),
        (["–1.5", "2.25"], [-1.5, 2.25]),
    ],
)
def test_each_number_says_what_its_marks_can_be(values, y):
    assert parsed(values, sep=";")[0].tolist() == y


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ("1,234.5", "999,5"),
        ("1,234.5", "1.234,5"),
        ("1.234,5", "999.5"),
        ("1 234", "5 6"),
        ("1.234,5", "3.5"),
        ("1.234.567", "10.0.0.1"),
        ("1.234.567", "1.5.24"),
    ],
)
def test_a_mark_that_stands_before_no_group_of_three_is_refused(first, later):
    marks = parsed([first], sep=";")[1]
    assert f"'{later}' in row 2" in refusal([first, later], marks, ";", known=True)
    assert "not numbers" in refusal([first, later], sep=";")


def test_a_mark_that_no_file_had_is_asked_for_in_the_first_that_has_it():
    marks = parsed(["950", "960"], sep=";")[1]
    assert marks == Marks()
    assert "may be thousands or fractions" in refusal(["999", "1.001"], marks, ";", known=True)


def test_text_among_numbers_of_a_spreadsheet_says_what_it_can():
    assert parsed([0.5, "1,5", 2.0], sep=None)[0].tolist() == [0.5, 1.5, 2.0]
    assert "may be thousands or fractions" in refusal([1000.25, "1.101"], sep=None)
    assert "'x5' in row 3" in refusal([1.5, 2.5, "x5"], sep=None)


@pytest.mark.parametrize(
    ("value", "stray"), [("1.003,77 €", "€"), ("$1,234", "$"), ("7 kWh", "kWh")]
)
def test_a_sign_that_is_no_part_of_a_number_is_named(value, stray):
    assert refusal([value], sep=";").endswith(
        f"expected numbers without {stray!r}: take it out of the file"
    )


def test_three_digits_after_a_point_between_commas_are_a_fraction():
    assert parsed(["1.234", "5.678"])[0].tolist() == [1.234, 5.678]


@pytest.mark.parametrize(
    "absent",
    [
        "",
        "NA",
        "nan",
        "NULL",
        " ",
        None,
        *("--", "–", "—", "..", "...", ":"),
        *("#N/A", "#REF!", "#NAME?"),
    ],
)
def test_what_stands_for_no_value_is_none(absent):
    found, _ = parsed(["1.5", absent, "2"])
    assert np.isnan(found.iloc[1])
    assert found.dropna().tolist() == [1.5, 2.0]


@pytest.mark.parametrize("text", ["1e5", "+1e5", " 100000 ", "1E+05", "100000.0"])
def test_a_number_is_read_however_it_is_spelled(text):
    assert parsed([text, "2"])[0].iloc[0] == 1e5


@pytest.mark.parametrize(
    "values",
    [
        [1, 2],
        [1.0, 2.0],
        [Decimal(1), Decimal(2)],
        pd.array([1, 2], dtype="Int64"),
        np.array([1, 2.0], dtype=object),
        np.array([1.0, 2.0], np.float32),
    ],
)
def test_numbers_of_a_typed_file_are_numbers(values):
    found, marks = parsed(values)
    assert (found.tolist(), found.dtype, marks) == ([1.0, 2.0], np.float64, Marks())


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            ["1", "many", "2"],
            "column sales: 1 values are not numbers, the first is 'many' in row 2; expected numbers"
            + NONE,
        ),
        (
            ["12%", "13%"],
            "column sales: 2 values are not numbers, the first is '12%' in row 1; expected numbers"
            " without '%': take it out of the file",
        ),
        (
            ["1,5", "2,25", "x"],
            "column sales: 1 values are not numbers, the first is 'x' in row 3; expected numbers"
            + NONE,
        ),
        (
            ["True", "False"],
            "column sales: 2 values are not numbers, the first is 'True' in row 1;"
            " expected numbers" + NONE,
        ),
        ([True, False], "column sales holds bool, the first is 'True'; expected numbers"),
        (
            pd.to_datetime(["2015-01-01"]),
            "column sales holds datetime64[us], the first is '2015-01-01 00:00:00'; expected numbers",
        ),
        (
            ["1", "inf"],
            "column sales: 1 values are infinite, the first in row 2; expected finite numbers, mend"
            " or remove those rows",
        ),
        (
            ["1", "-1.797e308"],
            "column sales: 1 values are beyond 3.4e+38, the first is -1.797e+308 in row 2; expected"
            " numbers of single precision: take a larger unit, or mend those rows",
        ),
    ],
)
def test_what_is_no_number_is_named_with_its_row(values, sentence):
    assert refusal(values, sep=";") == sentence


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("(1.5)", "numbers: where it is below zero, as in accounts, write -1.5"),
        ("1.5-", "numbers with the sign before them: write -1.5"),
        ("1.2M", "numbers without 'M': write out what it stands for"),
        ("EUR 1.5", "numbers without 'EUR': take it out of the file"),
        ("1.5 *", "numbers without '*': take it out of the file"),
        ("1_000", "numbers; where '_' divides thousands, say thousands=_"),
        ("１．５", "numbers in the digits 0 to 9"),
        ("1/2", "numbers alone, such as 1234.5"),
        ("1.5[2]", "numbers alone, such as 1234.5"),
    ],
)
def test_what_is_nearly_a_number_is_told_how_to_be_one(cell, expected):
    assert refusal(["1.25", cell]) == (
        f"column sales: 1 values are not numbers, the first is {cell!r} in row 2; expected {expected}"
    )


def test_a_later_file_with_other_marks_is_refused():
    comma, point = Marks(decimal=","), Marks(decimal=".")
    assert "'1.5' in row 1; expected numbers such as 1234,5" in refusal(["1.5"], comma, known=True)
    assert "'1,5' in row 1; expected numbers" in refusal(["1,5"], point, known=True)


numbers = st.lists(st.floats(-1e12, 1e12).map(lambda y: round(y, 2)), min_size=1, max_size=20)


@given(y=numbers, decimal=st.sampled_from(".,"), grouped=st.booleans())
def test_what_is_read_is_what_was_written_or_a_question(y, decimal, grouped):
    thousands = {".": ",", ",": "."}[decimal] if grouped else ""
    plain = [f"{value:,.2f}".replace(",", "x").replace(".", decimal) for value in y]
    text = [value.replace("x", thousands) for value in plain]
    assert parsed(text, sep=";")[0].tolist() == y
