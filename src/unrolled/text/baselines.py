"""Models that a network has to beat on a text, each a function of what it is asked.

Letters: N symbols of the test part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from unrolled.text import compression, corpus, ngrams, vocabulary
from unrolled.text.ngrams import Discounts
from unrolled.text.options import CorpusOptions
from unrolled.text.vocabulary import Ids, Vocabulary

Documents = dict[str, list[str]]  # of train, validation and test
FloatArray = npt.NDArray[np.float64]


class Task(NamedTuple):
    """What a baseline has read, and what it is asked for: as ids, and as it stands in the documents."""

    train: Ids
    validation: Ids
    test: Ids
    documents: Documents
    vocabulary: Vocabulary
    options: CorpusOptions


# The loss of every character of the test part, nats (N,); NaN where none is asked.
Baseline = Callable[[Task], FloatArray]


def xz(task: Task) -> FloatArray:
    """A general compressor, which gives one number for all: its mean stands in each character's place.

    It reads the documents as the file has them, since it is asked for their ends too.
    """
    before, held_out = (
        "".join(corpus.join(task.documents[part], task.options.boundaries) for part in parts)
        for parts in (("train", "validation"), ("test",))
    )
    asked = vocabulary.targets(task.test, task.vocabulary)
    return np.where(asked, compression.xz_nats(before, held_out) / asked.sum(), np.nan)


def counted(order: int, discounts: Discounts) -> Baseline:
    """N-grams of an order, with one or three discounts."""

    def baseline(task: Task) -> FloatArray:
        seen, own = np.concatenate([task.train, task.validation]), task.vocabulary
        model = ngrams.fit(seen, own.size, order, discounts, own.bos)
        return ngrams.losses(model, task.test)

    return baseline


BASELINES: dict[str, Baseline] = {
    **{name: counted(*grams) for name, grams in ngrams.BASELINES.items()},
    "xz": xz,
}
