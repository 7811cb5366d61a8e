import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.errors import InputError
from unrolled.text import corpus, writing
from unrolled.text.options import CorpusOptions

# Characters that one of the options changes, or that meet across one that goes.
tricky = st.text(
    st.one_of(st.sampled_from("\ufeff\r\n\t\0\x1b\x85\u3000\uff21\uff0ce\u0301\u1100\u1161"), st.characters(codec="utf-8"))
)  # fmt: skip
options = st.fixed_dictionaries(
    {name: st.booleans() for name in ("normalise", "fold_width", "drop_control")}
)


@given(tricky, options)
def test_reading_again_changes_nothing(text, reading):
    once = writing.normalised(text, **reading)
    assert writing.normalised(once, **reading) == once
    assert "\r" not in once
    assert not reading["normalise"] or unicodedata.is_normalized("NFC", once)
    kept = [c for c in once if unicodedata.category(c) == "Cc" and c not in "\t\n"]
    assert not reading["drop_control"] or not kept


@given(tricky, options)
def test_a_prompt_is_read_as_its_corpus_was(text, reading):
    read = CorpusOptions(encoding="utf-16", **reading)  # in which NUL may stand
    try:
        found = corpus.decode(("x" + text).encode("utf-16"), read, "mine")
    except InputError:
        pytest.fail("text was refused")
    assert writing.normalised("x" + text, **read.reading) == found


@pytest.mark.parametrize(
    ("prompt", "reading", "read"),
    [
        ("cafe\u0301", {}, "café"),
        ("cafe\u0301", {"normalise": False}, "cafe\u0301"),
        ("ＴＯ　ＢＥ", {"fold_width": True}, "TO BE"),
        ("Ａ\u030a", {"fold_width": True}, "Å"),
        ("a\r\nb\rc", {}, "a\nb\nc"),
        ("\ufeffa", {}, "a"),
        ("a\0\x1b[0m\tb", {"drop_control": True}, "a[0m\tb"),
    ],
)
def test_what_is_written_in_another_way_is_the_same_text(prompt, reading, read):
    assert writing.normalised(prompt, **reading) == read


def test_half_a_pair_of_utf_16_is_no_text():
    with pytest.raises(InputError) as error:
        writing.refuse_surrogates("caf\udce9")
    assert str(error.value) == (
        "prompt 'caf\\udce9' holds the lone surrogate U+DCE9, which is no character; expected text"
        " in UTF-8"
    )
