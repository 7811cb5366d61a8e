import json
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from unrolled.errors import InputError
from unrolled.text import corpus, vocabulary
from unrolled.text.options import CorpusOptions

texts = st.lists(st.text(), min_size=1).filter(any)


def test_ids_follow_the_counts_and_ties_the_code_points():
    found = vocabulary.build(["bbaacc", "d"], boundaries=True)
    assert found.characters == "abcd"
    assert found.counts == (2, 2, 2, 1)
    assert (found.unk, found.bos, found.eos, found.first, found.size) == (0, 1, 2, 3, 7)
    without = vocabulary.build(["bbbaac"], boundaries=False)
    assert without.characters == "bac"
    assert (without.unk, without.bos, without.eos, without.first, without.size) == (
        0, None, None, 1, 4,
    )  # fmt: skip


@given(texts, st.integers(1, 3), st.none() | st.integers(1, 5))
def test_counts_are_those_of_a_counter(documents, min_count, max_size):
    counter = Counter("".join(documents))
    expected = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    expected = [item for item in expected if item[1] >= min_count][:max_size]
    if not expected:
        with pytest.raises(InputError):
            vocabulary.build(documents, True, min_count, max_size)
        return
    found = vocabulary.build(documents, True, min_count, max_size)
    assert list(zip(found.characters, found.counts, strict=True)) == expected
    assert found.unknown == counter.total() - sum(found.counts)


@given(texts, st.booleans())
@example(["é", "e\u0301👩‍👩‍👧", "", "\U0010ffff床\ufffd\0"], True)
def test_any_text_comes_back_from_its_ids(documents, boundaries):
    found = vocabulary.build(documents, boundaries)
    ids = vocabulary.encode(documents, found)
    again = vocabulary.decode(ids, found)
    assert again == (documents if boundaries else ["".join(documents)])
    assert (ids != found.unk).all()


@given(texts, texts, st.booleans())
def test_ids_are_those_of_a_dictionary(train, documents, boundaries):
    found = vocabulary.build(train, boundaries)
    index = {c: i for i, c in enumerate(found.characters, found.first)}
    expected = []
    for document in documents:
        inside = [index.get(c, found.unk) for c in document]
        expected += [found.bos, *inside, found.eos] if boundaries else inside
    ids = vocabulary.encode(documents, found)
    assert ids.tolist() == expected
    assert ids.dtype == np.uint8


def test_long_documents_among_short_ones_are_encoded_alike():
    documents = ["ab" * 100_000, "", "c", *["abc"] * 50_000, "ba" * 70_000]
    found = vocabulary.build(documents, boundaries=True)
    assert vocabulary.decode(vocabulary.encode(documents, found), found) == documents


def test_the_type_of_ids_is_the_smallest():
    characters = "".join(map(chr, range(0x4E00, 0x4E00 + 300)))
    for size, dtype in ((255, np.uint8), (256, np.uint16), (300, np.uint16)):
        found = vocabulary.build([characters], boundaries=False, max_size=size)
        assert vocabulary.encode([characters], found).dtype == dtype


@given(texts, st.booleans())
def test_each_character_and_each_end_is_asked_for_once(documents, boundaries):
    found = vocabulary.build(documents, boundaries)
    ids = vocabulary.encode(documents, found)
    asked = vocabulary.targets(ids, found)
    expected = list("".join(documents))[1:]
    if boundaries:
        expected = [c for document in documents for c in [*document, "<eos>"]]
    names = ["<unk>", *(["<bos>", "<eos>"] if boundaries else []), *found.characters]
    assert [names[i] for i in ids[asked]] == expected
    written = "".join("\n" if c == "<eos>" else c for c in expected)
    assert vocabulary.target_bytes(documents, found) == len(written.encode())


def test_a_stream_that_begins_inside_a_document_is_decoded():
    found = vocabulary.build(["abc"], boundaries=True)
    ids = vocabulary.encode(["abc", "ab"], found)
    assert vocabulary.decode(ids[2:], found) == ["bc", "ab"]
    assert vocabulary.decode(ids[4:], found) == ["", "ab"]
    assert vocabulary.decode(ids[1:3], found) == ["ab"]
    assert vocabulary.decode(ids[:0], found) == [""]


def test_the_vocabulary_never_sees_held_out_text():
    text = "ab\n" * 100 + "验" + "ab\n" * 10 + "试" + "ab\n" * 10
    parts = corpus.split([text], CorpusOptions(validation=0.1, test=0.1), "mine")
    assert "验" in parts.validation[0]
    assert "试" in parts.test[0]
    found = vocabulary.build(parts.train, boundaries=False)
    assert set(found.characters) == set("ab\n")
    assert vocabulary.coverage(parts.test, found)["unknown_characters"] == "试"


def test_coverage_counts_the_unknown():
    found = vocabulary.build(["abc"], boundaries=True)
    assert vocabulary.coverage(["abx", "床床c"], found) == {
        "characters": 6,
        "unknown": 3,
        "coverage": 0.5,
        "unknown_characters": "床x",
    }
    assert vocabulary.coverage([""], found)["coverage"] == 1.0


def test_a_vocabulary_survives_json():
    found = vocabulary.build(
        ["床前明月光", "emoji 👩‍👩‍👧 \ufffd\0\n"], boundaries=True, min_count=1
    )
    state = json.loads(json.dumps(found.model_dump()))
    assert vocabulary.Vocabulary.model_validate(state) == found


def test_surrogates_are_refused():
    message = (
        "text holds the lone surrogate U+D800, which is no character; decode it with its right"
        " encoding"
    )
    found = vocabulary.build(["a"], boundaries=False)
    for function in (
        lambda: vocabulary.build(["a\ud800"], boundaries=False),
        lambda: vocabulary.encode(["a", "\ud800"], found),
    ):
        with pytest.raises(InputError) as error:
            function()
        assert str(error.value) == message


def test_a_vocabulary_of_nothing_is_refused():
    with pytest.raises(InputError) as error:
        vocabulary.build(["abc"], boundaries=False, min_count=2)
    assert str(error.value) == ("vocabulary: no character occurs 2 times in train; lower min_count")


def test_a_prompt_is_read_after_bos_and_without_eos():
    found = vocabulary.build(["床前明月光"], boundaries=True)
    ids = vocabulary.encode_prompt("床前", found)
    assert ids[0] == found.bos
    assert vocabulary.decode(ids, found) == ["床前"]
    assert vocabulary.encode_prompt("", found).tolist() == [found.bos]


def test_an_empty_prompt_without_boundaries_is_a_newline_or_the_commonest_character():
    found = vocabulary.build(["aab\n"], boundaries=False)
    assert vocabulary.decode(vocabulary.encode_prompt("", found), found) == ["\n"]
    found = vocabulary.build(["aab"], boundaries=False)
    assert vocabulary.decode(vocabulary.encode_prompt("", found), found) == ["a"]


def test_unknown_characters_of_a_prompt_are_named(caplog):
    found = vocabulary.build(["abc"], boundaries=False)
    assert vocabulary.encode_prompt("ab床x床", found).tolist() == [1, 2, 0, 0, 0]
    assert caplog.messages == ["prompt 'ab床x床': the model does not know 'x', '床'; read as <unk>"]
    with pytest.raises(InputError) as error:
        vocabulary.encode_prompt("床", found, strict=True)
    assert str(error.value) == (
        "prompt '床': the model does not know '床'; expected characters of its training text"
    )


def test_many_unknown_characters_are_cut_short(caplog):
    found = vocabulary.build(["a"], boundaries=False)
    vocabulary.encode_prompt("bcdefghijklmn", found)
    assert caplog.messages[0].endswith("'j', 'k' and 3 more; read as <unk>")


@pytest.mark.parametrize(
    "documents", [["to be or not to be\n" * 300_000], ["to be or not to be" * 5] * 50_000]
)
def test_building_and_encoding_take_little_memory(documents):
    tracemalloc.start()
    found = vocabulary.build(documents, boundaries=len(documents) > 1)
    ids = vocabulary.encode(documents, found)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - ids.nbytes < 2e6


def test_a_stream_is_spelled_symbol_by_symbol():
    found = vocabulary.build(["ab"], boundaries=True)
    ids = vocabulary.encode(["ab", "床"], found)
    assert vocabulary.spell(ids, found) == ["", "a", "b", "\n", "", "\ufffd", "\n"]
    without = vocabulary.build(["ab"], boundaries=False)
    assert vocabulary.spell(vocabulary.encode(["ba床"], without), without) == ["b", "a", "\ufffd"]


def test_a_fingerprint_is_that_of_the_ids_meaning():
    found = vocabulary.build(["aab"], boundaries=False).fingerprint
    assert found == vocabulary.build(["aaab"], boundaries=False).fingerprint
    assert found != vocabulary.build(["abb"], boundaries=False).fingerprint
    assert found != vocabulary.build(["aab"], boundaries=True).fingerprint
