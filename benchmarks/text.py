"""Language models on three corpora, beside modified Kneser-Ney of order 6: exact, state carried.

    python benchmarks/text.py

Each network is trained on the whole train part with one seed and two threads, its size and its
number of epochs chosen on a part of train, and scored once on the held-out part: tiny-shakespeare's
last 111,540 characters (nanoGPT's split), the last tenth of the shakespeare plays, and the tenth of
the tang quatrains whose SHA-1 is a multiple of ten. tiny-shakespeare is not shipped: it is
data/tinyshakespeare/input.txt of github.com/karpathy/char-rnn; name it by --tiny.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from _table import Row, main
from unrolled.recurrent.options import LanguageOptions
from unrolled.text import corpus, ngrams, vocabulary
from unrolled.text.options import CorpusOptions
from unrolled.training import text
from unrolled.training.options import TextTrainOptions

PROJECT = Path(__file__).resolve().parents[1]
CORPORA, OTHERS = PROJECT / "data/01_raw/corpora", PROJECT.parent / "shared/data"
FILES = {
    "tiny": OTHERS / "tinyshakespeare/input.txt",
    "shakespeare": CORPORA / "shakespeare.txt",
    "tang": CORPORA / "tang.txt",
}
BLOCK = 256  # what nanoGPT's network sees at once


class Case(NamedTuple):
    """A corpus, its network and its bars."""

    name: str
    held_out: int | None  # characters at the end; None: documents by their SHA-1
    model: LanguageOptions
    training: TextTrainOptions
    nats: float
    minutes: float


CASES = {
    "tiny": Case(
        "tiny-shakespeare",
        111_540,
        LanguageOptions(hidden=512, embedding=64),
        TextTrainOptions(epochs=4, learning_rate=5e-3, threads=2),
        nats=1.4697,
        minutes=3,
    ),
    "shakespeare": Case(
        "shakespeare plays",
        126_816,
        LanguageOptions(hidden=512, embedding=64),
        TextTrainOptions(epochs=5, learning_rate=5e-3, threads=2),
        nats=1.50,
        minutes=5,
    ),
    "tang": Case(
        "tang quatrains",
        None,
        LanguageOptions(hidden=256, embedding=256, tied=True),
        TextTrainOptions(epochs=4, learning_rate=5e-3, threads=2),
        nats=4.70,
        minutes=5,
    ),
}


def parts(path: Path, held_out: int | None) -> tuple[list[str], list[str]]:
    """Documents of train and of the held-out part."""
    if held_out is not None:
        whole = corpus.decode(path.read_bytes(), CorpusOptions(), path.stem)
        return [whole[:-held_out]], [whole[-held_out:]]
    options = CorpusOptions(boundaries="line", test=0.1)
    poems = corpus.documents(corpus.decode(path.read_bytes(), options, path.stem), "line")
    train, validation, test = corpus.split(poems, options, path.stem)
    return train + validation, test


def run(case: Case, path: Path, quick: bool) -> list[Row]:
    """Train, score, compare."""
    train, held_out = parts(path, case.held_out)
    words = vocabulary.build(train, boundaries=case.held_out is None)
    ids, scored = (vocabulary.encode(part, words) for part in (train, held_out))
    baseline = ngrams.fit(ids, words.size, 6, 3, words.bos)
    asked = vocabulary.targets(scored, words)
    kneser_ney = float(ngrams.losses(baseline, scored)[asked].mean())

    training = case.training.model_copy(update={"epochs": 0.1} if quick else {})
    began = time.perf_counter()
    weights, _, parameters = text.fit_language_model(
        ids, None, words, case.model, training, 0, case.name
    )
    minutes = (time.perf_counter() - began) / 60
    card = {"model": case.model.model_dump(), "training": training.model_dump(), "seed": 0}

    def nats(block: int | None) -> float:
        losses = text.evaluate(weights, card, scored, words, block)
        return float(np.nanmean(losses, dtype=np.float64))

    network = f"{case.model.cell} of {case.model.hidden}, {parameters:,} parameters"
    rival = "modified Kneser-Ney 6"
    bar = f"value <= {case.nats}"
    found = [
        Row(f"{case.name}: {network}", nats(None), "nats a character", kneser_ney, rival, bar=bar),
        Row(f"{case.name}: training", minutes, "minutes", bar=f"value <= {case.minutes:g}"),
    ]
    if case.held_out is not None:
        name = f"{case.name}: in blocks of {BLOCK} from a zero state"
        found.insert(1, Row(name, nats(BLOCK), "nats a character"))
    return found


def rows(quick: bool, **files: Path) -> list[Row]:
    found = []
    for name, path in files.items():
        if path.is_file():
            found += run(CASES[name], path, quick)
        else:
            print(f"{CASES[name].name}: '{path}' does not exist; left out, name it by --{name}")
    return found


if __name__ == "__main__":
    main(rows, **FILES)
