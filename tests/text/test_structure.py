import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.text.structure import features


def of(text, name):
    return features(list(text))[name].tolist()


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ('a "b" c', "0011000"),
        ("“a「b”c", "111100"),
        ("「甲」乙", "1100"),
        ("it's", "0000"),
        ('"a\n\nb"', "111001"),  # a blank line closes what was forgotten; the last one opens
    ],
)
def test_quotes_are_open_from_their_opening_to_their_closing(text, inside):
    assert of(text, "inside quotes") == [float(mark) for mark in inside]


@pytest.mark.parametrize(
    ("text", "inside"), [("a(b)c", "01100"), ("[a(b]c", "111100"), ("（甲）", "110"), (")a", "00")]
)
def test_brackets_are_open_until_their_own_closing(text, inside):
    assert of(text, "inside brackets") == [float(mark) for mark in inside]


def test_a_line_counts_from_its_newline_and_a_clause_from_its_mark():
    assert of("ab\nc，d", "characters of the line") == [1, 2, 0, 1, 2, 3]
    assert of("ab\nc，d", "characters of the clause") == [1, 2, 0, 1, 0, 1]


def test_a_document_begins_with_all_closed():
    found = features(["", "(", "a", "", "b"])
    assert found["inside brackets"].tolist() == [0, 1, 1, 0, 0]
    assert found["characters of the line"].tolist() == [0, 1, 2, 0, 1]


@given(st.lists(st.sampled_from(["", *'ab"(）\n，“”']), max_size=40))
def test_features_depend_on_nothing_that_follows(symbols):
    whole = features(symbols)
    for end in range(len(symbols) + 1):
        for name, values in features(symbols[:end]).items():
            np.testing.assert_array_equal(values, whole[name][:end])
