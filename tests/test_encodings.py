"""What is an encoding of text, to a series as to a corpus."""

import pytest
from pydantic import ValidationError

from unrolled.series.options import SeriesOptions
from unrolled.text.options import CorpusOptions

KINDS = [SeriesOptions, CorpusOptions]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "encoding",
    [
        *("utf-9", "", "a\0b", "base64", "hex", "zlib", "rot13", "idna", "punycode", "charmap"),
        *("unicode_escape", "raw-unicode-escape", "Unicode-Escape", "undefined"),
    ],
)
def test_what_no_file_is_written_in_is_refused(kind, encoding):
    with pytest.raises(ValidationError) as refused:
        kind(encoding=encoding)
    (error,) = refused.value.errors()
    assert (error["loc"], error["msg"]) == (
        ("encoding",),
        "Value error, expected a text encoding that Python knows, such as utf-8, utf-16, cp1252 or"
        " gb18030",
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "encoding", ["UTF8", "utf-8-sig", "utf_16_le", "utf-7", "latin1", "cp1252", "GB18030", "koi8-r"]
)
def test_an_encoding_is_kept_as_it_was_named(kind, encoding):
    assert kind(encoding=encoding).encoding == encoding
