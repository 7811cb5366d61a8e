"""What each variant learns in the time that the LSTM takes: two series, and a text.

    python benchmarks/equal_time.py --tiny ../shared/data/tinyshakespeare/input.txt --save

A variant that takes twice as long for an epoch gets half of the epochs, and its step size falls over
these. Series: options as shipped, seeds 0 to 4, scored on the test part. The text: one layer of 256
units where the variant does not say otherwise, a minute for each, scored on what no network has read.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from kedro.config import OmegaConfigLoader

from _table import Row, main
from options import PROJECT, data_of
from text import SEED, TINY, TINY_SHAKESPEARE, parts
from unrolled import study
from unrolled.pipelines.jobs import JOBS
from unrolled.series import backtest, metrics
from unrolled.text import vocabulary
from unrolled.training import text
from unrolled.training.cards import LanguageSpec
from unrolled.training.options import TextTrainOptions
from unrolled.training.rows import fit_network

VARIANTS = ["lstm", "gru", "slstm", "mlstm", "xlstm", "lru"]
REFERENCE = "lstm"
SECONDS = 60.0  # of the text
HIDDEN = 256


def seconds_each(train: Callable[[float], object], few: float, more: float) -> float:
    """Seconds of an epoch: what the longer of two trainings takes more than the shorter, the median of three."""
    found = []
    for _ in range(3):
        times = []
        for epochs in (few, more):
            began = time.perf_counter()
            train(epochs)
            times.append(time.perf_counter() - began)
        found.append((times[1] - times[0]) / (more - few))
    return statistics.median(found)


def studied(name: str, quick: bool) -> study.Study:
    """The study of all variants with the options that ship."""
    loader = OmegaConfigLoader(str(PROJECT / "conf"), base_env="base", default_run_env="base")
    seeds = [0] if quick else [0, 1, 2, 3, 4]
    changes = {"series": name, "variants": VARIANTS, "seeds": seeds}
    parameters = loader["parameters"] | changes
    parameters["text"] |= {"variants": VARIANTS}
    return study.read(JOBS, parameters, PROJECT)


def of_series(name: str, quick: bool) -> list[Row]:
    """MASE of every variant, mean over seeds, after as long a training as the LSTM's."""
    given = studied(name, quick).forecasting
    panel, borders = data_of(given)
    history = backtest.before_test(panel, borders)

    def trained(variant: str, epochs: float, seed: int = 0) -> backtest.Forecast:
        one = given.contenders[variant]
        patience = one.training.patience * epochs / one.training.epochs
        training = one.training.model_copy(
            update={"epochs": round(epochs), "patience": max(1, round(patience))}
        )
        return fit_network(
            panel, borders, given.series, one.model, training, seed, f"{variant} seed {seed}"
        )

    each = {
        variant: seconds_each(lambda epochs, v=variant: trained(v, epochs), 5, 10 if quick else 25)
        for variant in VARIANTS
    }
    whole = given.contenders[REFERENCE].training.epochs * (0.1 if quick else 1)
    budget = whole * each[REFERENCE]
    scores, cases = {}, {}
    for variant in VARIANTS:
        epochs = max(1, round(budget / each[variant]))
        cases[variant] = f"{name}, {budget:.2g} s: {variant}, {epochs} epochs"
        found = [
            metrics.score(
                backtest.over_cutoffs(panel, borders, given.series, trained(variant, epochs, seed)),
                history,
                given.series.season,
            )["mase"]
            for seed in given.seeds
        ]
        scores[variant] = statistics.mean(found)
    return [
        Row(cases[variant], scores[variant], "MASE", scores[REFERENCE], REFERENCE)
        for variant in VARIANTS
    ]


def of_text(path: Path, quick: bool) -> list[Row]:
    """Nats a character of every variant on the last tenth, after as many seconds of training."""
    name, _, split = TINY_SHAKESPEARE
    train, held_out = parts(path, split, rehearse=False)
    words = vocabulary.build(train, boundaries=False)
    ids, scored = (vocabulary.encode(part, words) for part in (train, held_out))
    given = studied("airline", quick).text
    budget, found = SECONDS / (20 if quick else 1), {}
    for variant in VARIANTS:
        model = given.contenders[variant].model.model_copy(update={"hidden": HIDDEN})

        def fit(epochs: float, model: object = model) -> tuple[dict, TextTrainOptions, int]:
            training = TextTrainOptions(epochs=epochs, learning_rate=3e-3, threads=2)
            weights, _, parameters = text.fit_language_model(
                ids, None, words, model, training, SEED, "equal time"
            )
            return weights, training, parameters

        # By the character: of a short training the first steps cost more than the others.
        each = seconds_each(fit, 0.01, 0.03)
        began = time.perf_counter()
        weights, training, parameters = fit(budget / each)
        took = time.perf_counter() - began
        card = LanguageSpec(model=model, training=training, seed=SEED)
        losses = text.evaluate(weights, card, scored, words)
        case = f"{name}, {took:.0f} s: {variant}, {training.epochs:.2g} epochs, {parameters:,} parameters"
        found[case] = float(np.nanmean(losses, dtype=np.float64))
        print(f"{case}: {found[case]:.4f}", flush=True)
    reference = next(iter(found.values()))
    return [Row(case, nats, "nats", reference, REFERENCE) for case, nats in found.items()]


def rows(quick: bool, tiny: Path) -> list[Row]:
    """Both series, and the text where it lies."""
    torch.set_num_threads(1)
    found = [row for name in ("airline", "sunspots") for row in of_series(name, quick)]
    if tiny.is_file():
        return found + of_text(tiny, quick)
    print(f"{TINY_SHAKESPEARE.name}: '{tiny}' does not exist; left out, name it by --tiny")
    return found


if __name__ == "__main__":
    main(rows, tiny=TINY)
