"""Every baseline of a text is asked in the same way."""

import numpy as np
import pytest

from unrolled.text import vocabulary
from unrolled.text.baselines import BASELINES, Task
from unrolled.text.options import CorpusOptions


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_gives_a_loss_to_each_character_that_is_asked_for(name):
    documents = {"train": ["to be"] * 9, "validation": ["or not"], "test": ["to be", "not"]}
    known = vocabulary.build(documents["train"], boundaries=True)
    ids = [vocabulary.encode(part, known) for part in documents.values()]
    losses = BASELINES[name](Task(*ids, documents, known, CorpusOptions(boundaries="line")))
    assert (np.isfinite(losses) == vocabulary.targets(ids[2], known)).all()


@pytest.mark.parametrize("boundaries", ["line", "blank_line"])
def test_xz_pays_for_the_ends_of_documents(boundaries):
    """All that is unknown of these documents is where they end, one of eight lengths each."""
    lengths = np.random.default_rng(0).integers(1, 9, 3000)
    texts = ["a" * length for length in lengths]
    documents = {"train": texts[:1000], "validation": texts[1000:1500], "test": texts[1500:]}
    known = vocabulary.build(texts, boundaries=True)
    ids = [vocabulary.encode(part, known) for part in documents.values()]
    losses = BASELINES["xz"](Task(*ids, documents, known, CorpusOptions(boundaries=boundaries)))
    assert np.nansum(losses) > 1500 * np.log(8)
    assert np.isfinite(losses).sum() == sum(lengths[1500:]) + 1500
