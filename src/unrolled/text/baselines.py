"""Models that a network has to beat on a text.

Every baseline is called as `baseline(train_ids, validation_ids, test_ids, documents, own, options)`: what it
has read, as ids and as it stands in the documents, what it is asked for, the vocabulary, and how the
text was read. It gives the loss of every character of the test part, nats, (N,); NaN where none is asked.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from unrolled.text import compression, corpus, ngrams, vocabulary
from unrolled.text.ngrams import Discounts
from unrolled.text.options import CorpusOptions
from unrolled.text.vocabulary import Ids, Vocabulary

Documents = dict[str, list[str]]  # of train, validation and test
FloatArray = npt.NDArray[np.float64]
Baseline = Callable[[Ids, Ids, Ids, Documents, Vocabulary, CorpusOptions], FloatArray]


def xz(
    train_ids: Ids,
    validation_ids: Ids,
    test_ids: Ids,
    documents: Documents,
    own: Vocabulary,
    options: CorpusOptions,
) -> FloatArray:
    """A general compressor, which gives one number for all: its mean stands in each character's place.

    It reads the documents as the file has them, since it is asked for their ends too.
    """
    before, held_out = (
        "".join(corpus.join(documents[part], options.boundaries) for part in parts)
        for parts in (("train", "validation"), ("test",))
    )
    asked = vocabulary.targets(test_ids, own)
    return np.where(asked, compression.xz_nats(before, held_out) / asked.sum(), np.nan)


def counted(order: int, discounts: Discounts) -> Baseline:
    """N-grams of an order, with one or three discounts."""

    def baseline(
        train_ids: Ids,
        validation_ids: Ids,
        test_ids: Ids,
        documents: Documents,
        own: Vocabulary,
        options: CorpusOptions,
    ) -> FloatArray:
        seen = np.concatenate([train_ids, validation_ids])
        model = ngrams.fit(seen, own.size, order, discounts, own.bos)
        return ngrams.losses(model, test_ids)

    return baseline


BASELINES: dict[str, Baseline] = {
    **{name: counted(*grams) for name, grams in ngrams.BASELINES.items()},
    "xz": xz,
}
