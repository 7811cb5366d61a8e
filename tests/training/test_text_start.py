"""What is said of a network that goes on from one of another text."""

import pytest

from unrolled.text import vocabulary
from unrolled.text.options import CorpusOptions
from unrolled.training import text_start


@pytest.mark.parametrize(
    ("text", "level", "known"),
    [("abab床" * 9, "INFO", "80.0"), ("ab床前明" * 9, "WARNING", "40.0")],
)
def test_a_start_says_how_much_of_the_text_it_knows(caplog, text, level, known):
    before, own = (vocabulary.build([one], boundaries=False) for one in ("abc", text))
    caplog.set_level("INFO")
    text_start._say_shared(before, own, "old/gru")
    (said,) = caplog.records
    assert said.levelname == level
    assert said.message == (
        f"{len(own.characters) - 2} of {len(own.characters)} characters are new to old/gru; those that"
        f" it knows are {known} % of the train part"
    )


def test_a_start_of_a_text_that_was_read_otherwise_is_told(caplog):
    text_start._say_read(CorpusOptions(), CorpusOptions(encoding="gb18030"), "old/gru")
    assert not caplog.messages
    text_start._say_read(CorpusOptions(normalise=False), CorpusOptions(min_count=2), "old/gru")
    assert caplog.messages == [
        f"old/gru has learnt from a corpus with {key} {there}, but this one has {here}; give both the"
        " same, unless that is meant"
        for key, there, here in (("normalise", False, True), ("min_count", 1, 2))
    ]
