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
