"""How the ids of a text are cut into streams, batches and chunks."""

import numpy as np
import torch

from unrolled.text import vocabulary
from unrolled.training import text_streams
from unrolled.training.options import TextTrainOptions

POEM = "the woods are lovely, dark and deep, but i have promises to keep.\n"
LINES = [POEM[i : i + 3 + i % 11] for i in range(40)]


def test_every_symbol_of_an_epoch_is_asked_for_once():
    for documents, boundaries in ((["".join(LINES)], False), (LINES, True)):
        words = vocabulary.build(documents, boundaries)
        ids = vocabulary.encode(documents, words)
        options = TextTrainOptions(batch_size=3, chunk=4)
        asked = np.zeros(len(ids), int)
        for batch in text_streams.one_epoch(ids, words.bos, options):
            for at in range(0, int(batch.targets.max()), 4):
                x, y, _ = text_streams.chunk_of(ids, batch, at, 4)
                real = (y != text_streams.IGNORED).numpy()
                places = (batch.first + at + np.arange(len(x))[:, None])[real]
                np.testing.assert_array_equal(ids[places], x.numpy()[real])
                np.testing.assert_array_equal(ids[places + 1], y.numpy()[real])
                np.add.at(asked, places + 1, 1)
        np.testing.assert_array_equal(asked, vocabulary.targets(ids, words))


def test_documents_of_a_length_are_read_beside_others_in_every_epoch():
    documents = [POEM[i : i + 5] for i in range(24)]
    words = vocabulary.build(documents, boundaries=True)
    ids = vocabulary.encode(documents, words)
    torch.manual_seed(0)
    options = TextTrainOptions(batch_size=4)
    first, second = (
        {
            frozenset(batch.first.tolist())
            for batch in text_streams.one_epoch(ids, words.bos, options)
        }
        for _ in range(2)
    )
    assert set.union(*map(set, first)) == set.union(*map(set, second))
    assert not first & second
