import codecs
import hashlib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from unrolled.errors import InputError
from unrolled.text import corpus
from unrolled.text.options import CorpusOptions

POEMS = ["床前明月光，疑是地上霜。", "举头望明月，低头思故乡。"]


def sentence(function, *arguments) -> str:
    with pytest.raises(InputError) as error:
        function(*arguments)
    return str(error.value)


def decoded(raw: bytes, **options) -> str:
    return corpus.decode(raw, CorpusOptions(**options), "mine")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "gb18030", "big5"])
def test_text_is_decoded_by_its_encoding(encoding):
    text = "床前明月光"
    assert decoded(text.encode(encoding), encoding=encoding) == text


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), min_size=1))
def test_gb18030_holds_all_of_unicode(text):
    text = "x" + text
    assert decoded(text.encode("gb18030"), encoding="gb18030", normalise=False) == text


def test_a_byte_order_mark_is_dropped():
    assert decoded(b"\xef\xbb\xbfa") == "a"


def test_newlines_are_one_kind():
    assert decoded(b"a\r\nb\rc\n\r\nd") == "a\nb\nc\n\nd"


@given(st.text(min_size=1))
def test_characters_and_their_marks_are_composed_or_left(text):
    text = "x" + text.replace("\r", "").replace("\0", "")
    assert decoded(text.encode()) == unicodedata.normalize("NFC", text)
    assert decoded(text.encode(), normalise=False) == text


def test_full_width_forms_are_folded_only_where_asked():
    text = "ＡＢＣ　１２３，床。"
    assert decoded(text.encode()) == text
    assert decoded(text.encode(), fold_width=True) == "ABC 123,床。"


def test_an_empty_file_is_refused():
    assert sentence(decoded, b"") == "corpus 'mine': the file is empty; expected text"
    assert sentence(decoded, b" \n\t") == (
        "corpus 'mine': the file holds nothing but white space; expected text"
    )


def test_a_binary_file_is_refused():
    assert sentence(decoded, b"\x89PNG\r\n\x1a\n\x00\x00") == (
        "corpus 'mine': the file is binary, byte 8 is NUL; expected text in utf-8; if it is,"
        " corpus_options.mine.drop_control=true leaves NUL out"
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "utf-32"])
def test_control_characters_are_dropped_where_asked(encoding):
    raw = "a\0b\x1bc\r\nd\te".encode(encoding)
    assert decoded(raw, encoding=encoding, drop_control=True) == "abc\nd\te"
    assert sentence(lambda: decoded(raw, encoding=encoding)) == (
        f"corpus 'mine': the file is binary, {'byte' if encoding == 'utf-8' else 'character'} 1 is"
        f" NUL; expected text in {encoding}; if it is, corpus_options.mine.drop_control=true leaves"
        " NUL out"
    )


# The byte order mark of each encoding that has one.
MARKS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}
ENCODINGS = [*MARKS, "utf-16", "utf-32", "gb18030", "cp1252"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("of_file", MARKS)
def test_a_marked_file_is_read_or_its_encoding_is_named(of_file, encoding):
    raw = MARKS[of_file] + "to be, 床前\n".encode(of_file)
    bare = of_file.removesuffix("-le").removesuffix("-be")
    if encoding in (of_file, bare):
        assert decoded(raw, encoding=encoding) == "to be, 床前\n"
        return
    found = sentence(lambda: decoded(raw, encoding=encoding))
    if encoding.startswith(bare):  # of the other order
        assert f"is {of_file.upper()}, but encoding is {encoding}; set" in found
    else:
        assert found == (
            f"corpus 'mine': the file begins like {bare.upper()}, but encoding is {encoding}; set"
            f" corpus_options.mine.encoding to {bare}"
        )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32", "gb18030", "ascii"])
@pytest.mark.parametrize("of_file", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize(
    "text",
    [
        "To be, or not\n",
        "床前明月光，\n疑是地上霜。\n",
        "naïve café",
        "一二三，床前明月光。",
        "テスト、です",
        "Привет, мир",
    ],
)
def test_a_wide_file_without_a_mark_is_read_or_its_encoding_is_named(text, of_file, encoding):
    raw = text.encode(of_file)
    if encoding == of_file.removesuffix("-le"):  # Python's choice where nothing is marked
        assert decoded(raw, encoding=encoding) == text
        return
    assert sentence(lambda: decoded(raw, encoding=encoding)) == (
        f"corpus 'mine': the file is {of_file.upper()}, but encoding is {encoding}; set"
        f" corpus_options.mine.encoding to {of_file}"
    )


@given(st.binary(min_size=1, max_size=200), st.sampled_from(ENCODINGS), st.booleans())
def test_any_bytes_are_text_or_a_sentence(raw, encoding, drop):
    options = {"undecodable": "drop" if drop else "error", "drop_control": drop}
    try:
        text = decoded(raw, encoding=encoding, **options)
    except InputError:
        return
    assert "\0" not in text
    text.encode()


def test_half_a_pair_of_utf_16_is_refused_or_dropped(caplog):
    assert sentence(lambda: decoded(b"a+2AA-b", encoding="utf-7")) == (
        "corpus 'mine': in utf-7 the file holds the lone surrogate U+D800, which is no character;"
        " name the file's encoding by corpus_options.mine.encoding, or set undecodable to drop"
    )
    assert decoded(b"a+2AA-b", encoding="utf-7", undecodable="drop") == "ab"
    assert "the lone surrogate U+D800; all such are dropped" in caplog.text


def test_a_path_may_begin_at_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert CorpusOptions(path="~/my notes.txt").path == "/home/me/my notes.txt"
    assert CorpusOptions(path="https://a.b/~me/c.txt").path == "https://a.b/~me/c.txt"


def test_another_encoding_is_refused_with_count_and_offset():
    raw = b"abc" + "床前".encode("gb18030")
    assert sentence(decoded, raw) == (
        "corpus 'mine': 2 of 7 bytes are not utf-8, the first at byte offset 3; name the file's"
        " encoding by corpus_options.mine.encoding (gb18030 or utf-16-le for many Chinese texts, cp1252"
        " for many Western ones), or set undecodable to drop"
    )


def test_undecodable_bytes_are_dropped_where_asked_and_counted(caplog):
    assert decoded(b"ab\xff\xfe c\xff\\x41", undecodable="drop") == "ab c\\x41"
    assert caplog.messages == [
        "corpus 'mine': 3 of 11 bytes are not utf-8, the first at byte offset 2; they are dropped"
    ]


def test_documents_end_where_asked():
    text = "a\nb\n\n \t\nc\n\n"
    assert corpus.documents(text, "none") == [text]
    assert corpus.documents(text, "line") == ["a", "b", "c"]
    assert corpus.documents(text, "blank_line") == ["a\nb", "c"]


lines = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n")).filter(str.strip)


@given(st.lists(lines), st.sampled_from(["line", "blank_line"]))
def test_documents_joined_and_cut_again_are_the_same(texts, boundaries):
    assert corpus.documents(corpus.join(texts, boundaries), boundaries) == texts


@given(st.text(min_size=30), st.floats(0.1, 0.45), st.floats(0.1, 0.45))
def test_without_boundaries_the_parts_follow_one_another(text, validation, test):
    options = CorpusOptions(validation=validation, test=test)
    parts = corpus.split([text], options, "mine")
    assert "".join(part for (part,) in parts) == text
    assert abs(len(parts.test[0]) - test * len(text)) <= 1
    assert abs(len(parts.validation[0]) - validation * len(text)) <= 1


def test_the_test_part_is_the_last_tenth_rounded_up():
    text = "a" * 1_115_394
    parts = corpus.split([text], CorpusOptions(), "tiny")
    assert len(parts.test[0]) == 111_540


@given(
    st.integers(0, 400), st.sampled_from([0.01, 0.1, 0.3]), st.sampled_from([0.01, 0.1, 0.3, 0.6])
)
def test_a_text_too_short_is_told_how_many_characters_it_needs(characters, validation, test):
    options = CorpusOptions(validation=validation, test=test)
    try:
        parts = corpus.split(["a" * characters], options, "mine")
    except InputError as error:
        message = str(error)
        assert message.startswith(f"corpus 'mine': {characters} characters cannot be split")
        needed = int(message.split("need at least ")[1].split(";")[0])
        assert needed > characters
        corpus.split(["a" * needed], options, "mine")
    else:
        assert min(len(part) for (part,) in parts) >= 2


def test_the_sentence_of_a_text_too_short():
    assert sentence(corpus.split, ["only ten c"], CorpusOptions(), "mine") == (
        "corpus 'mine': 10 characters cannot be split, validation 0.1 and test 0.1 need at least"
        " 11; add text or change the shares"
    )


def test_documents_are_split_by_their_hash():
    options = CorpusOptions(boundaries="line", validation=0.2, test=0.1)
    documents = [f"poem {i}" for i in range(2000)]
    parts = corpus.split(documents, options, "mine")
    numbers = {d: int(hashlib.sha1(d.encode()).hexdigest(), 16) for d in documents}
    assert parts.test == [d for d in documents if numbers[d] % 10 == 0]
    assert parts.validation == [d for d in documents if numbers[d] % 10 in (1, 2)]
    assert parts.train == [d for d in documents if numbers[d] % 10 > 2]


@given(st.permutations([f"poem {i}" for i in range(60)]), st.integers(40, 60))
def test_a_document_keeps_its_part_in_any_order_and_company(documents, kept):
    options = CorpusOptions(boundaries="line", validation=0.3, test=0.3)
    whole = corpus.split([f"poem {i}" for i in range(60)], options, "mine")
    for part, rest in zip(whole, corpus.split(documents[:kept], options, "mine"), strict=True):
        assert set(rest) == set(part) & set(documents[:kept])


def test_a_repeated_document_never_stands_in_two_parts():
    options = CorpusOptions(boundaries="line", validation=0.3, test=0.3)
    train, validation, test = corpus.split([f"{i % 40}" for i in range(400)], options, "mine")
    assert not (set(train) & set(validation) | set(train) & set(test) | set(validation) & set(test))


def test_too_few_documents_are_refused():
    assert sentence(corpus.split, POEMS, CorpusOptions(boundaries="line"), "mine") == (
        "corpus 'mine': none of its 2 documents falls to validation; add documents, change the"
        " shares of validation and test, or set boundaries to none"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"validation": 0.5, "test": 0.5},
            "validation 0.5 + test 0.5 leave nothing to train on; expected a sum below 1",
        ),
    ],
)
def test_options_of_a_corpus_are_checked(options, message):
    with pytest.raises(ValidationError) as error:
        CorpusOptions(**options)
    assert error.value.errors()[0]["msg"] == f"Value error, {message}"


def test_tang_is_split_by_poem_and_no_line_of_verse_leaks(shared_text):
    documents = corpus.documents(shared_text("tang_quatrains/tang_quatrains.txt"), "line")
    train, validation, test = corpus.split(documents, CorpusOptions(boundaries="line"), "tang")
    assert len(documents) == 13_453
    assert sum(len(poem) + 1 for poem in test) == 42_853
    verses = [{verse for poem in part for verse in poem[:-1].replace("。", "，").split("，")}
              for part in (train, validation, test)]  # fmt: skip
    assert sum(map(len, verses)) == 4 * len(documents) == len(set.union(*verses))


def test_a_text_with_some_nuls_is_not_taken_for_pairs_of_bytes():
    raw = b"abc def\0 ghi\n" * 60
    with pytest.raises(InputError, match="drop_control"):
        corpus.decode(raw, CorpusOptions(), "nul")
    found = corpus.decode(raw, CorpusOptions(drop_control=True), "nul")
    assert found == "abc def ghi\n" * 60
