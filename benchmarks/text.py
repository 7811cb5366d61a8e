"""Language models on three corpora, beside modified Kneser-Ney of order 6: exact, state carried.

    python benchmarks/text.py
    python benchmarks/text.py --only tang
    python benchmarks/text.py --only tang --rehearse

Each network is trained on the whole train part with one seed and two threads, and scored once on
the held-out part: tiny-shakespeare's last 111,540 characters (nanoGPT's split), the last tenth of
the shakespeare plays, and the tenth of the tang quatrains whose SHA-1 is a multiple of ten. Sizes
and training were chosen by rehearsals, in which the held-out part is cut off and as much of train
is held out in its place. The minutes are those of training alone, in bfloat16, which takes half the
time of float32 on a processor with AVX512-BF16 and some times as long on others. tiny-shakespeare is not shipped:
it is data/tinyshakespeare/input.txt of github.com/karpathy/char-rnn; name it by --tiny.
Every full training is a run of the MLflow experiment benchmarks/text, with options and curve.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from _table import Row, main
from unrolled.recurrent.options import LanguageOptions
from unrolled.text import corpus, ngrams, vocabulary
from unrolled.text.options import CorpusOptions
from unrolled.tracking import (
    DEFAULT_URI,
    Curve,
    absolute_uri,
    client_of,
    experiment_of,
    flat_params,
    log_node,
    metrics_of,
)
from unrolled.training import loop, text
from unrolled.training.cards import LanguageSpec
from unrolled.training.options import TextTrainOptions

PROJECT = Path(__file__).resolve().parents[1]
TINY = PROJECT.parent / "shared/data/tinyshakespeare/input.txt"
BLOCK = 256  # what nanoGPT's network sees at once
SEED = 0


class Corpus(NamedTuple):
    """A text and its split."""

    name: str
    file: str  # in data/01_raw/corpora, but for tiny-shakespeare
    held_out: int | None  # characters at the end; None: documents by their SHA-1


TINY_SHAKESPEARE = Corpus("tiny-shakespeare", "", 111_540)
PLAYS = Corpus("shakespeare plays", "shakespeare.txt", 126_816)
TANG = Corpus("tang quatrains", "tang.txt", None)


class Case(NamedTuple):
    """A corpus, a network for it, and the bars of both."""

    corpus: Corpus
    model: LanguageOptions
    training: TextTrainOptions
    nats: float
    minutes: float


def recipe(epochs: float, learning_rate: float, **options: int) -> TextTrainOptions:
    """What differs between the cases."""
    return TextTrainOptions(
        epochs=epochs, learning_rate=learning_rate, threads=2, precision="bfloat16", **options
    )


CASES = {
    "tiny": Case(
        TINY_SHAKESPEARE,
        LanguageOptions(hidden=512, output_dropout=0.1),
        recipe(3.8, 3e-3),
        nats=1.4697,
        minutes=3,
    ),
    "tiny_long": Case(
        TINY_SHAKESPEARE,
        LanguageOptions(hidden=768, output_dropout=0.5),
        recipe(9, 4e-3, batch_size=64),
        nats=1.45,
        minutes=15,
    ),
    "shakespeare": Case(
        PLAYS,
        LanguageOptions(hidden=512, output_dropout=0.2),
        recipe(5.5, 2.5e-3),
        nats=1.50,
        minutes=5,
    ),
    "tang": Case(
        TANG,
        LanguageOptions(
            hidden=512, embedding=256, tied=True, embedding_dropout=0.1, output_dropout=0.6
        ),
        recipe(6, 2e-3, chunk=40),
        nats=4.70,
        minutes=5,
    ),
}


def parts(path: Path, held_out: int | None, rehearse: bool) -> tuple[list[str], list[str]]:
    """Documents of train and of the part that is scored."""
    if held_out is not None:
        whole = corpus.decode(path.read_bytes(), CorpusOptions(), path.stem)
        train = whole[:-held_out]
        if rehearse:
            return [train[:-held_out]], [train[-held_out:]]
        return [train], [whole[-held_out:]]
    options = CorpusOptions(boundaries="line", test=0.1)
    poems = corpus.documents(corpus.decode(path.read_bytes(), options, path.stem), "line")
    train, validation, test = corpus.split(poems, options, path.stem)
    return (train, validation) if rehearse else (train + validation, test)


def run(case: Case, path: Path, quick: bool, rehearse: bool) -> list[Row]:
    """Train, score, compare."""
    name, _, split = case.corpus
    train, held_out = parts(path, split, rehearse)
    words = vocabulary.build(train, boundaries=split is None)
    ids, scored = (vocabulary.encode(part, words) for part in (train, held_out))
    baseline = ngrams.fit(ids, words.size, 6, 3, words.bos)
    asked = vocabulary.targets(scored, words)
    kneser_ney = float(ngrams.losses(baseline, scored)[asked].mean())

    training = case.training.model_copy(update={"epochs": 0.05} if quick else {})
    began = time.perf_counter()
    weights, history, parameters = text.fit_language_model(
        ids, None, words, case.model, training, SEED, name
    )
    minutes = (time.perf_counter() - began) / 60
    card = LanguageSpec(model=case.model, training=training, seed=SEED)

    def nats(block: int | None) -> float:
        losses = text.evaluate(weights, card, scored, words, block)
        return float(np.nanmean(losses, dtype=np.float64))

    scores = {"nats_per_character": nats(None), "train_minutes": minutes}
    if case.corpus is TINY_SHAKESPEARE:
        scores[f"nats_in_blocks_of_{BLOCK}"] = nats(BLOCK)
    if not quick:
        part = "rehearsal" if rehearse else "held-out part"
        track(f"{name}, {part}", card, scores | {"kneser_ney_6": kneser_ney}, history)

    network = f"{case.model.cell} of {case.model.hidden}, {parameters:,} parameters, seed {SEED}"
    last = f"last {split:,} characters" if split else f"{len(held_out):,} held-out poems"
    last += " of train" if rehearse else ""
    found = [
        Row(
            f"{name}, {last}: {network}",
            scores["nats_per_character"],
            "nats a character",
            kneser_ney,
            "modified Kneser-Ney 6",
            bar=f"value <= {case.nats}",
        )
    ]
    if case.corpus is TINY_SHAKESPEARE:
        found.append(
            Row(
                f"the same in blocks of {BLOCK}, each from a zero state",
                scores[f"nats_in_blocks_of_{BLOCK}"],
                "nats a character",
            )
        )
    size = (
        f"{len(ids):,} symbols, {training.epochs:g} epochs, {training.threads} threads,"
        f" {training.precision}"
    )
    bar = f"value <= {case.minutes:g}"
    return [*found, Row(f"its training: {size}", minutes, "minutes", bar=bar)]


def track(name: str, card: LanguageSpec, scores: dict[str, float], history: list[loop.Row]) -> None:
    """Keep a training in MLflow, where `kedro run` keeps its own."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or absolute_uri(DEFAULT_URI, PROJECT)
    client = client_of(uri)
    run = client.create_run(
        experiment_of(client, "benchmarks/text", uri, PROJECT), run_name=name
    ).info.run_id
    params = {key: value for part, own in card for key, value in flat_params(part, own, "").items()}
    curves = [Curve("train_loss", row.train_loss, row.step) for row in history]
    log_node(client, run, params, [*metrics_of(scores), *curves], {})
    client.set_terminated(run)


def rows(quick: bool, only: Iterable[str], rehearse: bool, tiny: Path) -> list[Row]:
    found = []
    for case in map(CASES.__getitem__, only):
        file = case.corpus.file
        path = PROJECT / "data/01_raw/corpora" / file if file else tiny
        if path.is_file():
            found += run(case, path, quick, rehearse)
        else:
            print(f"{case.corpus.name}: '{path}' does not exist; left out, name it by --tiny")
    return found


if __name__ == "__main__":
    main(rows, only=CASES, rehearse="score a part of train, to choose options by", tiny=TINY)
