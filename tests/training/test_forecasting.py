"""Training and running a forecaster on windows gathered by index."""

import itertools
import threading

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.recurrent.batch import Inputs
from unrolled.recurrent.forecaster import Forecaster
from unrolled.recurrent.heads import HEADS
from unrolled.recurrent.options import ModelOptions
from unrolled.series import splits, windows
from unrolled.series.options import SeriesOptions
from unrolled.training import forecasting
from unrolled.training.forecasting import fit_forecaster, fit_weights, gather, predict, spec
from unrolled.training.loop import deterministic
from unrolled.training.options import TrainOptions

SERIES = SeriesOptions(lookback=8, horizon=3, lags=(2, 5), validation=15, test=15)
TRAINING = TrainOptions(epochs=2, batch_size=16)


def wave(rows: int = 90) -> np.ndarray:
    time = np.arange(rows)
    noise = np.random.default_rng(0).normal(0, 0.1, rows)
    return (np.sin(time / 3) + noise).astype(np.float32)


SEEN = np.ones(90, dtype=bool)


def table(rows: int, options: SeriesOptions) -> pd.DataFrame:
    panel = pd.DataFrame({"unique_id": "a", "ds": range(rows), "y": 0.0})
    return windows.table(splits.borders(panel, options.validation, options.test), options)


def trained(seed: int = 0, training: TrainOptions = TRAINING, **model: object) -> tuple:
    options = ModelOptions(hidden=4, **model)
    weights, history, parameters = fit_forecaster(
        wave(), SEEN, table(90, SERIES), SERIES, options, training, seed, "test"
    )
    card = spec(SERIES, options, training, seed)
    return weights, card, history, parameters


@given(
    st.integers(1, 6),
    st.integers(1, 4),
    st.lists(st.integers(1, 7), max_size=3, unique=True),
    st.integers(0, 20),
)
def test_a_batch_holds_the_value_its_lags_and_the_steps_after_it(lookback, horizon, lags, first):
    options = SeriesOptions(lookback=lookback, horizon=horizon, lags=tuple(lags))
    values = torch.arange(60, dtype=torch.float32)
    (inputs, *_), targets = gather(values, torch.tensor([first]), options)
    end = first + max(lags, default=0) + lookback  # row after the last input
    assert targets[:, 0].tolist() == list(range(end, end + horizon))
    for feature, lag in enumerate((0, *lags)):
        rows = range(end - lookback - lag, end - lag)
        assert inputs[:, 0, feature].tolist() == list(rows)


NORMALISATIONS = ["none", "last", "smoothed", "last_std", "mean_std"]
READ_BY = [{}, {"highway": True}, {"segment": 4}]


# A window is scaled before any cell: one cell meets every way to scale it, the others two.
@pytest.mark.parametrize(
    ("cell", "normalisation", "more"),
    [
        *itertools.product(["gru"], NORMALISATIONS, READ_BY),
        *itertools.product(["rnn", "lstm"], ["none", "last_std"], READ_BY),
    ],
)
def test_changing_the_last_observation_changes_every_step(cell, normalisation, more):
    weights, card, _, _ = trained(cell=cell, window_normalisation=normalisation, **more)
    values, first = wave(), np.array([10])
    last = 10 + SERIES.span - SERIES.horizon - 1
    changed = values.copy()
    changed[last] += 1
    before = predict(weights, card, values, first, SERIES)
    assert (predict(weights, card, changed, first, SERIES) != before).all()
    # and nothing after the cutoff is read
    changed = values.copy()
    changed[last + 1 :] = np.nan
    np.testing.assert_array_equal(predict(weights, card, changed, first, SERIES), before)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    first, second, other = trained(0), trained(0), trained(1)
    assert all(tensor.equal(second[0][name]) for name, tensor in first[0].items())
    assert first[2] == second[2]
    assert any(not tensor.equal(other[0][name]) for name, tensor in first[0].items())


def with_part(part: str, value: float) -> np.ndarray:
    """The wave with another value in all rows of a part."""
    first = {"train": 0, "validation": 60, "test": 75}[part]
    values = wave()
    values[first : first + (60 if part == "train" else 15)] = value
    return values


@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_the_test_part_changes_no_bit_of_what_is_learnt(refit, early_stopping):
    training = TrainOptions(epochs=4, patience=1, refit=refit, early_stopping=early_stopping)
    found = [
        fit_forecaster(
            values, SEEN, table(90, SERIES), SERIES, ModelOptions(hidden=4), training, 0, "test"
        )
        for values in (wave(), with_part("test", 7.0), with_part("test", np.nan))
    ]
    for weights, history, _ in found[1:]:
        assert history == found[0][1]
        assert all(tensor.equal(found[0][0][name]) for name, tensor in weights.items())


def test_without_refit_the_validation_part_chooses_and_teaches_nothing():
    """Of an epoch alone there is nothing to choose."""
    training = TrainOptions(epochs=1)
    found = [
        fit_forecaster(
            values, SEEN, table(90, SERIES), SERIES, ModelOptions(hidden=4), training, 0, "test"
        )
        for values in (wave(), with_part("validation", 7.0))
    ]
    (first, curve, _), (second, other, _) = found
    assert all(tensor.equal(second[name]) for name, tensor in first.items())
    assert curve[0].train_loss == other[0].train_loss
    assert curve[0].validation_loss != other[0].validation_loss


def test_the_validation_loss_is_that_of_the_forecasts_from_the_validation_part():
    weights, card, history, _ = trained(training=TrainOptions(epochs=1), head_dropout=0.5)
    first = windows.starts(table(90, SERIES), "validation")
    y_hat = predict(weights, card, wave(), first, SERIES)
    y = np.stack([wave()[start + SERIES.context :][: SERIES.horizon] for start in first])
    assert len(first) == 13
    assert history[0].validation_loss == pytest.approx(np.mean((y_hat - y) ** 2), rel=1e-5)


def test_nothing_is_dropped_from_a_forecast():
    weights, card, *_ = trained(head_dropout=0.5)
    first = np.arange(20)
    plain = card.model_copy(update={"model": card.model.model_copy(update={"head_dropout": 0.0})})
    np.testing.assert_array_equal(
        predict(weights, card, wave(), first, SERIES),
        predict(weights, plain, wave(), first, SERIES),
    )


def test_validation_chooses_and_refit_trains_on_both_parts_up_to_its_epoch():
    kept = trained(training=TrainOptions(epochs=4))
    refitted = trained(training=TrainOptions(epochs=4, refit=True))
    assert kept[2] == refitted[2]  # the learning curve is that of the validated run
    assert any(not tensor.equal(refitted[0][name]) for name, tensor in kept[0].items())


@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_weights_without_a_learning_curve_are_the_same(refit, early_stopping):
    training = TrainOptions(epochs=3, refit=refit, early_stopping=early_stopping)
    whole = trained(training=training)[0]
    alone = fit_weights(
        wave(), SEEN, table(90, SERIES), SERIES, ModelOptions(hidden=4), training, 0, "test"
    )
    assert all(tensor.equal(alone[name]) for name, tensor in whole.items())


def test_the_loss_of_windows_with_gaps_is_that_of_their_observed_targets():
    seen = np.ones(90, dtype=bool)
    seen[::3] = False
    first, y = torch.tensor([3, 4, 5]), torch.arange(9.0).reshape(3, 3)
    counts = forecasting._targets_seen(torch.tensor(seen), first, SERIES)
    mask = np.array(
        [[seen[start + SERIES.context + step] for start in (3, 4, 5)] for step in range(3)]
    )
    np.testing.assert_array_equal(counts, mask)
    expected = np.abs(y.numpy() - 7)[mask].mean()
    loss = HEADS["mae"].loss(torch.full((3, 3, 1), 7.0), y, counts)
    assert float(loss) == pytest.approx(expected)


def test_targets_that_were_filled_teach_nothing():
    seen = np.ones(90, dtype=bool)
    seen[30:40] = False
    found = []
    for value in (0.0, 9.0):
        values = wave()
        values[30:40] = value
        task = forecasting.WindowTask(
            Forecaster(ModelOptions(hidden=2), Inputs(3), 8, 3),
            torch.from_numpy(values),
            SERIES,
            torch.tensor([17]),  # whose targets are rows 30 to 32, and 33 the first that is read
            forecasting.Shuffled(1, 1),
            torch.tensor([18]),
            True,
            HEADS["mse"],
            torch.from_numpy(seen),
            0.0,
        )
        found.append(task.loss()[0].isnan())
    assert all(found)  # of no target there is no mean


def test_windows_without_an_observed_target_are_left_out():
    seen = np.ones(90, dtype=bool)
    seen[40:44] = False
    first = torch.arange(0, 70)
    kept = forecasting._scored(first, torch.tensor(seen), SERIES)
    lost = sorted(set(first.tolist()) - set(kept.tolist()))
    assert [start + SERIES.context for start in lost] == [40, 41]


def test_augmentation_changes_training_but_not_what_validation_sees():
    plain, same, other = (
        trained(training=TrainOptions(epochs=2, augmentation=size, learning_rate=rate))
        for size, rate in ((0.0, 1e-12), (0.5, 1e-12), (0.5, 1e-2))
    )
    # The weights hardly move, so validation must not either, while the training loss is another.
    assert same[2][0].validation_loss == pytest.approx(plain[2][0].validation_loss, rel=1e-5)
    assert same[2][0].train_loss != pytest.approx(plain[2][0].train_loss, rel=1e-2)
    again = trained(training=TrainOptions(epochs=2, augmentation=0.5, learning_rate=1e-2))
    assert all(tensor.equal(again[0][name]) for name, tensor in other[0].items())


def test_forecasts_do_not_depend_on_the_windows_beside_them():
    weights, card, _, _ = trained()
    first = np.arange(40)
    together = predict(weights, card, wave(), first, SERIES)
    alone = np.concatenate([predict(weights, card, wave(), first[[i]], SERIES) for i in range(40)])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_parameters_are_counted():
    features, hidden, horizon = 3, 4, 3
    recurrent = 3 * (features * hidden + hidden * hidden + 2 * hidden)
    assert trained(cell="gru")[3] == recurrent + hidden * horizon + horizon


def test_a_network_is_rebuilt_only_while_nobody_trains():
    weights, card, *_ = trained()
    asked = threading.Event()

    def ask() -> None:
        asked.set()
        predict(weights, card, wave(), np.array([10]), SERIES)

    with deterministic(7, threads=1):
        other = threading.Thread(target=ask)
        other.start()
        asked.wait()
        other.join(0.2)
        drawn = torch.rand(3)
    other.join()
    with deterministic(7, threads=1):
        assert torch.equal(drawn, torch.rand(3))
