"""Vocabulary: characters as numbers and back.

Ids: 0 is `<unk>`, every character that is not known; where documents have boundaries, 1 is `<bos>`
before and 2 is `<eos>` after each of them; then come the known characters, the commonest first.

The ids of documents with boundaries are one flat stream, `<bos> 床 前 … 霜 <eos> <bos> 锄 …`. A
model is asked for every symbol but `<bos>`, so each character and each end is counted once:

>>> vocabulary = build(["ab", "a"], boundaries=True)
>>> ids = encode(["ab", "c"], vocabulary)
>>> ids.tolist(), targets(ids, vocabulary).tolist()
([1, 3, 4, 2, 1, 0, 2], [False, True, True, True, False, True, True])
>>> decode(ids, vocabulary)
['ab', '�']
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from unrolled.errors import InputError
from unrolled.text.writing import refuse_surrogates, unknown_in, unknown_sentence

logger = logging.getLogger(__name__)

Ids = npt.NDArray[np.unsignedinteger[Any]]  # (N,), the smallest type that holds them

REPLACEMENT = "\ufffd"
_UNK, _BOS, _EOS = range(3)
# Characters at a time: what numpy makes of them stays in the processor's cache.
_CHUNK = 1 << 16


class Vocabulary(BaseModel):
    """What is known about characters; as JSON, the whole state."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    characters: str = Field(description="known characters, by rising id")
    counts: tuple[int, ...] = Field(description="times each of them is in train")
    unknown: int = Field(description="characters of train that are not known")
    boundaries: bool = Field(description="documents are framed by <bos> and <eos>")

    @property
    def unk(self) -> int:
        """Id of every character that is not known."""
        return _UNK

    @property
    def bos(self) -> int | None:
        """Id before each document; None without boundaries."""
        return _BOS if self.boundaries else None

    @property
    def eos(self) -> int | None:
        """Id after each document; None without boundaries."""
        return _EOS if self.boundaries else None

    @property
    def lowest(self) -> int:
        """Lowest id that is ever written: neither `<unk>` nor `<bos>`."""
        return _EOS if self.boundaries else self.first

    @property
    def first(self) -> int:
        """Id of the first character."""
        return (_EOS if self.boundaries else _UNK) + 1

    @property
    def size(self) -> int:
        """V, ids in all."""
        return self.first + len(self.characters)

    @property
    def fingerprint(self) -> str:
        """What a model keeps of the vocabulary that gave its ids their meaning."""
        return hashlib.sha256(f"{self.boundaries}{self.characters}".encode()).hexdigest()[:16]

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger[Any]]:
        """The smallest unsigned type that holds every id."""
        return np.min_scalar_type(self.size - 1)


def build(
    documents: Sequence[str],
    boundaries: bool,
    min_count: int = 1,
    max_size: int | None = None,
) -> Vocabulary:
    """Count the characters of train.

    Args:
        documents: the train part alone.
        boundaries: whether documents are framed by `<bos>` and `<eos>`.
        min_count: times a character must occur to be known.
        max_size: characters known at most, the commonest; ties go to the lower code point.

    Raises:
        InputError: a lone surrogate, or no character is left.
    """
    counts = _count(documents)
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    known = order[counts[order] >= min_count][:max_size]
    if not len(known):
        raise InputError(
            f"vocabulary: no character occurs {min_count} times in train; lower min_count"
        )
    return Vocabulary(
        characters=known.astype("<u4").tobytes().decode("utf-32-le"),
        counts=tuple(counts[known].tolist()),
        unknown=int(counts.sum() - counts[known].sum()),
        boundaries=boundaries,
    )


def encode(documents: Sequence[str], vocabulary: Vocabulary) -> Ids:
    """Turn documents into one flat stream of ids.

    Args:
        documents: texts; without boundaries they are joined as they are.
        vocabulary: see the module.

    Returns:
        Ids (N,), N the characters plus, with boundaries, two for each document.

    Raises:
        InputError: a lone surrogate.
    """
    known = code_points(vocabulary.characters)
    # Code points above the last known one are clipped to the entry behind it, which is <unk>.
    table: Ids = np.zeros(int(known.max()) + 2, vocabulary.dtype)
    table[known] = np.arange(vocabulary.first, vocabulary.size)
    frame = 2 if vocabulary.boundaries else 0
    ids: Ids = np.empty(_lengths(documents).sum() + frame * len(documents), vocabulary.dtype)
    at = 0
    for batch in _batches(documents):
        # NUL keeps the places of <bos> and <eos>, which are written over it.
        text = "\0" + "\0\0".join(batch) + "\0" if vocabulary.boundaries else "".join(batch)
        part = ids[at : at + len(text)]
        for i in range(0, len(text), _CHUNK):
            codes = code_points(text[i : i + _CHUNK])
            np.take(table, codes, out=part[i : i + _CHUNK], mode="clip")
        if vocabulary.boundaries:
            after = np.cumsum(_lengths(batch) + frame)
            part[np.append(0, after[:-1])] = _BOS
            part[after - 1] = _EOS
        at += len(text)
    return ids


def decode(ids: npt.NDArray[np.integer[Any]], vocabulary: Vocabulary) -> list[str]:
    """Turn ids back into documents.

    Args:
        ids: (N,).
        vocabulary: see the module.

    Returns:
        The texts between one `<bos>` and the next, without `<bos>` and `<eos>`; `<unk>` becomes
        U+FFFD.
    """
    table = np.full(vocabulary.size, ord(REPLACEMENT), "<u4")
    table[vocabulary.first :] = code_points(vocabulary.characters)
    special = np.isin(ids, [i for i in (vocabulary.bos, vocabulary.eos) if i is not None])
    text = table[ids[~special]].tobytes().decode("utf-32-le")
    if vocabulary.bos is None:
        return [text]
    starts = np.flatnonzero(ids == vocabulary.bos)
    cuts = (starts - np.cumsum(special)[starts] + 1).tolist()
    if not len(starts) or starts[0] > 0:
        cuts.insert(0, 0)  # the stream begins inside a document
    return [text[a:b] for a, b in pairwise([*cuts, len(text)])]


def spell(ids: npt.NDArray[np.integer[Any]], vocabulary: Vocabulary) -> list[str]:
    """Spell out a stream (N,), a string for each id: `<bos>` is empty, `<eos>` a newline."""
    special = [REPLACEMENT, "", "\n"][: vocabulary.first]
    names = [*special, *vocabulary.characters]
    return [names[i] for i in ids.tolist()]


def encode_prompt(prompt: str, vocabulary: Vocabulary, strict: bool = False) -> Ids:
    r"""Turn the beginning of a text into what a model reads first.

    With boundaries it starts with `<bos>`. Without, an empty prompt becomes one newline, which the
    text can follow anywhere, or the commonest character where `\n` is unknown: a model must read
    something before it writes.

    Args:
        prompt: any text, empty allowed; as `writing.normalised` gives it.
        vocabulary: see the module.
        strict: refuse unknown characters, instead of reading them as `<unk>` with a warning.

    Returns:
        Ids (T,), T at least 1.

    Raises:
        InputError: a lone surrogate; unknown characters under `strict`.
    """
    refuse_surrogates(prompt)
    unknown = unknown_in(prompt, vocabulary.characters)
    if unknown:
        found = unknown_sentence(prompt, unknown)
        if strict:
            raise InputError(f"{found}; expected characters of its training text")
        logger.warning("%s; read as <unk>", found)
    if vocabulary.boundaries:
        return encode([prompt], vocabulary)[:-1]
    start = "\n" if "\n" in vocabulary.characters else vocabulary.characters[0]
    return encode([prompt or start], vocabulary)


def targets(ids: Ids, vocabulary: Vocabulary) -> npt.NDArray[np.bool_]:
    """Say which symbols of a stream (N,) a model is asked for.

    All but `<bos>`, and all but the first symbol, which no model has read anything before.
    """
    asked = np.ones(len(ids), bool) if vocabulary.bos is None else ids != vocabulary.bos
    asked[:1] = False
    return asked


def digests(train: Ids, validation: Ids) -> dict[str, str]:
    """SHA-256 of the ids of each part: of the text that a model was trained on, and chosen by."""
    parts = {"train": train, "validation": validation}
    return {
        part: hashlib.sha256(np.ascontiguousarray(ids).data).hexdigest()
        for part, ids in parts.items()
    }


def target_bytes(documents: Sequence[str], vocabulary: Vocabulary) -> int:
    """Count the UTF-8 bytes of what a model is asked for; an end is one byte, a newline."""
    size = sum(len(document.encode()) for document in documents)
    if vocabulary.boundaries:
        return size + len(documents)
    return size - len("".join(documents)[:1].encode())


def coverage(documents: Sequence[str], vocabulary: Vocabulary) -> dict[str, Any]:
    """Say how much of a text is known.

    Returns:
        `characters` and of them `unknown`; `coverage`, the known share; `unknown_characters`, each
        one, the commonest first.

    Raises:
        InputError: a lone surrogate.
    """
    counts = _count(documents)
    total = int(counts.sum())
    known = code_points(vocabulary.characters)
    counts[known[known < len(counts)]] = 0
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    unknown = int(counts.sum())
    return {
        "characters": total,
        "unknown": unknown,
        "coverage": 1 - unknown / total if total else 1.0,
        "unknown_characters": order.astype("<u4").tobytes().decode("utf-32-le"),
    }


def code_points(text: str) -> npt.NDArray[np.uint32]:
    """Return the code points (N,) of a text.

    Raises:
        InputError: a lone surrogate, which stands for no character.
    """
    try:
        return np.frombuffer(text.encode("utf-32-le"), "<u4")
    except UnicodeEncodeError as error:
        raise InputError(
            f"text holds the lone surrogate U+{ord(text[error.start]):04X}, which is no character;"
            " decode it with its right encoding"
        ) from None


def _count(documents: Sequence[str]) -> npt.NDArray[np.int64]:
    """Times of every code point, at least up to the highest found."""
    counts = np.zeros(1, np.int64)
    for batch in _batches(documents):
        text = "".join(batch)
        for i in range(0, len(text), _CHUNK):
            found = _histogram(text[i : i + _CHUNK])
            if len(found) < len(counts):
                found, counts = counts, found
            found[: len(counts)] += counts
            counts = found
    return counts


def _histogram(text: str) -> npt.NDArray[np.int64]:
    if not text.isascii():
        return np.bincount(code_points(text))
    odd = len(text) % 2
    # Two characters at a time: half the steps, and the steps are the cost.
    pairs = np.frombuffer((text + "\0" * odd).encode(), "<u2")
    both = np.bincount(pairs, minlength=1 << 15).reshape(128, 256)[:, :128]
    counts = both.sum(0) + both.sum(1)
    counts[0] -= odd
    return counts


def _lengths(documents: Sequence[str]) -> npt.NDArray[np.int64]:
    return np.fromiter(map(len, documents), np.int64, len(documents))


def _batches(documents: Sequence[str]) -> Iterator[Sequence[str]]:
    """Group documents so that their number costs little and their copies are small."""
    chunk = np.cumsum(_lengths(documents)) // _CHUNK
    bounds = [0, *(np.flatnonzero(np.diff(chunk)) + 1).tolist(), len(documents)]
    for begin, end in pairwise(bounds):
        yield documents[begin:end]
