"""Files as people export them."""

import gzip
import io
import zipfile

import pandas as pd
import pytest

from unrolled.errors import InputError
from unrolled.series.tables import EXPECTED, read

RAW = b"ds,y\n2001-01-01,1\n2001-01-02,2.5\n"
CELLS = {"ds": ["2001-01-01", "2001-01-02"], "y": ["1", "2.5"]}


def table(files, sep=None, sheet=None, encoding="utf-8"):
    return read(files, sep, sheet, encoding)


def cells(name, content, **options):
    return table({name: content}, **options).cells.to_dict("list")


def refusal(name, content, **options):
    with pytest.raises(InputError) as caught:
        table({name: content}, **options)
    return str(caught.value)


def packed(*names):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name in names:
            file.writestr(name, RAW)
    return archive.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("it.csv", RAW),
        ("IT.CSV", RAW.replace(b"\n", b"\r\n")),
        ("it.csv", b"\xef\xbb\xbf" + RAW),
        ("it.txt", RAW.decode().encode("utf-16")),
        ("it.csv", RAW.replace(b",", b";")),
        ("it.tsv", RAW.replace(b",", b"\t")),
        ("it.csv", RAW.replace(b",", b"|")),
        ("it.csv", RAW.replace(b",", b", ").replace(b"ds, ", b"ds , ")),
        ("it.csv", b"# made by hand\n#\n" + RAW),
        ("it.csv", b"# " + RAW),
        ("it.csv", RAW + b"# that was all\n"),
        ("it.csv", b"\n\n" + RAW.replace(b"\n", b"\n\n")),
        ("it.csv", b'"ds","y"\n"2001-01-01","1"\n"2001-01-02","2.5"'),
        ("it.csv.gz", gzip.compress(RAW, mtime=0)),
        ("it.zip", packed("folder/it.csv", "__MACOSX/folder/._it.csv")),
    ],
)
def test_a_text_file_is_read_however_it_is_cut(name, content):
    found = cells(name, content)
    assert {key: [one.strip() for one in column] for key, column in found.items()} == CELLS


def test_cells_stay_as_they_were_written():
    words = ["NA", "null", "None", "001", "1e5", "1", "01", "True", "", "#x"]
    content = "\n".join(["a,b", *(f"{word},0" for word in words)]).encode()
    assert cells("it.csv", content)["a"] == words


def test_a_separator_in_quotes_divides_nothing():
    content = b'ds;y\n2001-01-01;"1;5"\n2001-01-02;"a\nb"\n'
    assert cells("it.csv", content)["y"] == ["1;5", "a\nb"]


def test_a_decimal_comma_divides_nothing():
    assert table({"it.csv": b"ds;y\n2001-01-01;1,5\n2001-01-02;2\n"}).sep == ";"


def test_a_separator_can_be_said():
    assert cells("it.csv", b"a;b,y\n1;2,3\n", sep=",") == {"a;b": ["1;2"], "y": ["3"]}


def test_an_encoding_can_be_said():
    content = "Monat,Umsätze\n2001-01,5\n".encode("cp1252")
    assert list(cells("it.csv", content, encoding="cp1252")) == ["Monat", "Umsätze"]
    assert "is not in UTF-8" in refusal("it.csv", content)
    late = b"ds,y\n" + b"2001-01,5\n" * 30_000 + "ä,5\n".encode("cp1252")
    assert refusal("it.csv", late).endswith(
        "is not in UTF-8; save it so, or name its encoding: encoding=cp1252 is that of older"
        " spreadsheets"
    )


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("it.csv", b"", "file 'it.csv' has no rows; expected a header and at least one"),
        ("it.csv", b"# nothing\n", "file 'it.csv' has no rows; expected a header and at least one"),
        (
            "it.csv",
            b"ds,y\n1,2\n1,2,3\n",
            "file 'it.csv': a row has 3 cells where the header has 2: '1,2,3'; mend that row, or put"
            " cells that hold ',' into quotes",
        ),
        (
            "it.csv",
            b"2001-01-01,5\n2001-01-02,6\n",
            "file 'it.csv': its first line is '2001-01-01,5', which names no columns; add a header:"
            " ds,y",
        ),
        (
            "it.csv",
            b"y,y\n1,2\n",
            "file 'it.csv': column 'y' stands twice in its header; rename one",
        ),
        (
            "it.csv",
            b"ds,y\n\0\0",
            f"file 'it.csv' holds NUL bytes, which no text has; {EXPECTED}, or name its encoding"
            " (utf-16, utf-32)",
        ),
        ("it.docx", RAW, f"file 'it.docx' ends in .docx; {EXPECTED}"),
        (
            "it.zip",
            packed("a.csv", "b.csv"),
            "file 'it.zip' holds 2 files (a.csv, b.csv); expected one table: unpack it and give its"
            " path",
        ),
        (
            "it.csv.gz",
            RAW,
            "file 'it.csv.gz' cannot be unpacked: Not a gzipped file (b'ds'); pack it anew, or give"
            " the table as it is",
        ),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(name, content, sentence):
    assert refusal(name, content) == sentence


@pytest.mark.parametrize("name", ["it.parquet", "it.xlsx", "it.ods", "it.xls"])
@pytest.mark.parametrize("content", [b"", b"ds,y\n", b"PK\x03\x04" + b"\0" * 50])
def test_a_file_that_is_not_what_its_name_says_is_refused(name, content):
    assert refusal(name, content).startswith(f"file '{name}' cannot be read as a table: ")


def parquet(frame, **options):
    file = io.BytesIO()
    frame.to_parquet(file, **options)
    return file.getvalue()


FRAME = pd.DataFrame(
    {"unique_id": ["NA", "EU"], "ds": pd.date_range("2001-01-01", periods=2), "y": 1.0}
)


@pytest.mark.parametrize(
    "frame",
    [
        FRAME,
        FRAME.set_index("ds"),
        FRAME.set_index("ds").rename_axis(None),
        FRAME.set_index(["unique_id", "ds"]),
        FRAME.set_index("unique_id"),
        FRAME.iloc[::-1].iloc[::-1],
        FRAME.set_axis([5, 6]),
    ],
)
def test_what_an_index_of_a_parquet_file_says_is_a_column(frame):
    found = table({"it.parquet": parquet(frame)}).cells
    assert sorted(found.columns) == ["ds", "unique_id", "y"]
    assert found["unique_id"].tolist() == ["NA", "EU"]


def test_parts_of_a_folder_are_joined_and_their_paths_are_text():
    files = {
        f"unique_id={key}/part-0.parquet": parquet(FRAME[["ds", "y"]]) for key in ("001", "1", "NA")
    }
    found = table(files).cells
    assert found["unique_id"].tolist() == ["001"] * 2 + ["1"] * 2 + ["NA"] * 2
    flat = {f"part-{i}.parquet": parquet(FRAME.iloc[[i]]) for i in (1, 0)}
    assert table(flat).cells["unique_id"].tolist() == ["NA", "EU"]


def workbook(**sheets):
    file = io.BytesIO()
    with pd.ExcelWriter(file, engine="openpyxl") as book:
        for name, frame in sheets.items():
            frame.to_excel(book, sheet_name=name, index=False)
    return file.getvalue()


def test_a_spreadsheet_is_its_first_sheet_or_the_one_that_is_said():
    content = workbook(one=FRAME, two=FRAME.assign(y=2.0))
    first = table({"it.xlsx": content}).cells
    assert first["unique_id"].tolist() == ["NA", "EU"]
    assert first["ds"].tolist() == FRAME["ds"].tolist()
    assert table({"it.xlsx": content}, sheet="two").cells["y"].tolist() == [2.0, 2.0]
    assert refusal("it.xlsx", content, sheet="three") == (
        "file 'it.xlsx' has the sheets one, two, but the option sheet is 'three'"
    )


@pytest.mark.parametrize(
    "content",
    [
        b"sep=;\r\n" + RAW.replace(b",", b";"),
        RAW.replace(b"\n", b"\r"),
        RAW.decode().encode("utf-32"),
        b"ds,y\n2001-01-01,1,\n2001-01-02,2.5,\n",
        b"ds,y,\n2001-01-01,1,\n2001-01-02,2.5,\n",
        b",ds,y\n0,2001-01-01,1\n1,2001-01-02,2.5\n",
    ],
)
def test_what_programs_add_is_left_out(content):
    assert cells("it.csv", content) == CELLS


def test_a_header_may_hold_a_line_break_and_be_long():
    assert cells("it.csv", b'ds,"Sales\n(EUR)"\n2001-01-01,1\n') == {
        "ds": ["2001-01-01"],
        "Sales (EUR)": ["1"],
    }
    names = [f"series number {i}, a long name".replace(",", " of" * 60) for i in range(1000)]
    content = ",".join(["ds", *names]) + "\n" + ",".join(["2001-01-01", *["1"] * 1000]) + "\n"
    assert len(content) > 200_000  # more than is looked at for its form
    assert list(cells("it.csv", content.encode())) == ["ds", *names]


def test_a_quote_that_is_never_closed_swallows_nothing():
    rows = [f"2001-01-{day:02d},{day},note" for day in range(1, 29)]
    one = [*rows]
    one[14] = '2001-01-15,15,"oops'
    assert "one of its quotes is never closed" in refusal(
        "it.csv", "\n".join(["ds,y,n", *one]).encode()
    )
    two = [*one]
    two[20] = '2001-01-21,21,oops"'
    assert "the quotes of a cell hold whole rows" in refusal(
        "it.csv", "\n".join(["ds,y,n", *two]).encode()
    )


@pytest.mark.parametrize(
    "first",
    ["Jan-22,0", "Q1 2000,0", "2022-01-20T00:00:00Z,0", "01/20/2022 12:00 AM,0", "2022-01-01,NA"],
)
def test_a_first_line_of_values_is_no_header(first):
    assert "which names no columns" in refusal("it.csv", f"{first}\n{first}\n".encode())


def test_empty_lines_above_the_header_are_named():
    assert refusal("it.csv", b";\n;\nMonth;Sales\n2001-01;1\n") == (
        "file 'it.csv': its first line names no columns; add a header such as ds,y, and take out what"
        " stands above it"
    )


def test_parts_are_joined_in_their_own_order_and_have_the_same_columns():
    files = {f"part.{i}.parquet": parquet(FRAME.iloc[[0]].assign(y=i)) for i in range(12)}
    assert table(files).cells["y"].tolist() == list(range(12))
    files["part.1.parquet"] = parquet(FRAME.rename(columns={"y": "Y"}))
    with pytest.raises(InputError) as caught:
        table(files)
    assert str(caught.value) == (
        "file 'part.1.parquet' has other columns than the first part of its folder (Y, y); expected"
        " the same in all parts"
    )


def test_times_of_a_spreadsheet_are_whole_seconds():
    odd = pd.date_range("2024-01-01", periods=50, freq="5min") - pd.Timedelta("1ms")
    found = table({"it.xlsx": workbook(one=pd.DataFrame({"ds": odd, "y": 1.0}))}).cells["ds"]
    assert found.tolist() == pd.date_range("2024-01-01", periods=50, freq="5min").tolist()


def test_an_unnamed_index_is_the_time_where_there_is_none():
    years = pd.DataFrame({"y": [1.0, 2.0]}, index=[2001, 2002])
    assert table({"it.parquet": parquet(years)}).cells["ds"].tolist() == [2001, 2002]


def test_columns_without_a_name_are_told_apart():
    assert cells("it.csv", b"ds,,,y\n2001-01-01,a,b,1\n") == {
        "ds": ["2001-01-01"],
        "column 2": ["a"],
        "column 3": ["b"],
        "y": ["1"],
    }


@pytest.mark.parametrize("late", ["1.234,5", "1 234,5", "12x", "1.5"])
def test_a_decimal_comma_of_the_first_rows_holds_for_no_row_that_contradicts_it(late):
    """The reader of numbers then looks at the whole column, as text."""
    lines = ["ds;y", *(f"{year};1,5" for year in range(1000, 1400)), f"1400;{late}"]
    table = read({"a.csv": "\n".join(lines).encode()}, None, None, "utf-8", "y")
    assert table.decimal is None
    assert table.cells["y"].iloc[-1] == late
    whole = read({"a.csv": "\n".join(lines[:-1]).encode()}, None, None, "utf-8", "y")
    assert (whole.decimal, whole.cells["y"].iloc[0]) == (",", 1.5)


@pytest.mark.parametrize("cell", ["1,234", "1.234", "12"])
def test_a_mark_that_may_be_of_thousands_is_left_to_the_whole_column(cell):
    lines = ["ds;y", *(f"{year};{cell}" for year in range(1000, 1010))]
    assert read({"a.csv": "\n".join(lines).encode()}, None, None, "utf-8", "y").decimal is None
