"""The training loop: stopping, clipping, schedule, determinism."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from unrolled.errors import InputError
from unrolled.training import loop
from unrolled.training.forecasting import Shuffled, kept, learning_rate, plan
from unrolled.training.loop import best, deterministic
from unrolled.training.options import TrainOptions


class Given:
    """A task of two functions."""

    def __init__(self, batch_loss, windows, options, validate):
        self.batch_loss, self.given = batch_loss, validate
        self.batches = Shuffled(windows, options.batch_size)

    def loss(self) -> tuple[Tensor, int]:
        batch = next(self.batches)
        return self.batch_loss(batch), len(batch)

    def validate(self) -> float:
        return self.given() if self.given else math.nan

    def inputs(self) -> Tensor:
        return torch.empty(0)


def fit(model, batch_loss, windows, options, *, validate=None, epochs=None, label="model") -> list:
    task = Given(batch_loss, windows, options, validate)
    how = plan(options, windows, epochs, validated=validate is not None)
    return loop.fit(model, task, how, None, label)


def line(options: TrainOptions, seed: int = 0, scale: float = 1.0, **more) -> tuple:
    """Fit y = 2x + 1 with one linear layer."""
    with deterministic(seed, threads=1):
        model = nn.Linear(1, 1)
        x = torch.linspace(-1, 1, 64)[:, None]
        y = scale * (2 * x + 1)

        def batch_loss(batch: Tensor) -> Tensor:
            return nn.functional.mse_loss(model(x[batch]), y[batch])

        history = fit(model, batch_loss, len(x), options, **more)
    return model, history


def test_a_line_is_learned():
    model, history = line(TrainOptions(epochs=100, learning_rate=0.05))
    assert model.weight.item() == pytest.approx(2, abs=0.01)
    assert model.bias.item() == pytest.approx(1, abs=0.01)
    assert len(history) == 100


def test_the_best_weights_are_restored_and_training_stops_after_patience():
    losses = iter([5.0, 3.0, 1.0, 2.0, 4.0, 6.0, 8.0])
    seen = []

    def validate() -> float:
        seen.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return next(losses)

    model = nn.Linear(1, 1)
    options = TrainOptions(epochs=50, patience=3)
    history = fit(
        model, lambda batch: model(torch.ones(len(batch), 1)).mean(), 8, options, validate=validate
    )
    assert [row.epoch for row in history] == [1, 2, 3, 4, 5, 6]
    assert best(history).epoch == 3
    assert all(tensor.equal(seen[2][name]) for name, tensor in model.state_dict().items())


def test_the_gradient_norm_that_is_logged_is_that_before_clipping():
    calm = TrainOptions(epochs=1, batch_size=64, learning_rate=1e-9, clip_norm=1e-3)
    _, small = line(calm)
    _, large = line(calm, scale=1000.0)
    assert small[0].gradient_norm > 1e-3
    assert large[0].gradient_norm == pytest.approx(1000 * small[0].gradient_norm, rel=0.5)


def adamw(gradients, options: TrainOptions) -> list[np.ndarray]:
    """Two weights from zero by AdamW (Loshchilov & Hutter 2019) in numpy, a step an epoch."""
    weight, mean, square = np.zeros(2), np.zeros(2), np.zeros(2)
    path = []
    for step, gradient in enumerate(gradients, 1):
        norm = np.linalg.norm(gradient)
        gradient = gradient * min(1.0, options.clip_norm / norm)
        share = (step - 1) / options.epochs
        rate = options.learning_rate
        if options.schedule == "cosine":
            rate *= 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share))
        weight = weight * (1 - rate * options.weight_decay)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        unbiased = mean / (1 - 0.9**step), square / (1 - 0.999**step)
        weight = weight - rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
        path.append(weight)
    return path


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize("clip_norm", [1.0, 100.0])
def test_every_step_is_that_of_adamw_on_the_clipped_gradient_at_the_scheduled_rate(
    schedule, clip_norm
):
    """Gradients of other lengths and directions: by a rule that forgets one, the path is another."""
    gradients = np.array([[3.0, 4.0], [0.03, -0.04], [-30.0, 1.0], [0.5, 0.5], [2.0, -9.0]])
    options = TrainOptions(
        epochs=5, learning_rate=0.1, weight_decay=0.3, clip_norm=clip_norm, schedule=schedule
    )
    model = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(model.weight)
    given, path = iter(torch.tensor(gradients, dtype=torch.float32)), []

    def validate() -> float:
        path.append(model.weight.detach().numpy()[0].copy())
        return 0.0

    history = fit(
        model, lambda _: (model.weight[0] * next(given)).sum(), 4, options, validate=validate
    )
    np.testing.assert_allclose(path, adamw(gradients, options), rtol=1e-4, atol=1e-6)
    norms = np.linalg.norm(gradients, axis=1)
    assert [row.gradient_norm for row in history] == pytest.approx(norms.tolist())
    assert [row.clipped for row in history] == [float(norm > clip_norm) for norm in norms]


def test_every_epoch_reads_every_window_once_in_another_order():
    seen: list[list[int]] = [[]]
    model = nn.Linear(1, 1)

    def batch_loss(batch: Tensor) -> Tensor:
        seen[-1].extend(batch.tolist())
        return model(torch.ones(len(batch), 1)).mean()

    def validate() -> float:
        seen.append([])
        return 0.0

    fit(model, batch_loss, 50, TrainOptions(epochs=3, batch_size=16), validate=validate)
    orders = seen[:3]
    assert [sorted(order) for order in orders] == [list(range(50))] * 3
    assert len({tuple(order) for order in [*orders, range(50)]}) == 4


def test_dropout_is_on_in_training_off_in_validation_and_afterwards():
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(1, 1))
    modes: list[tuple[str, bool, bool]] = []

    def batch_loss(batch: Tensor) -> Tensor:
        modes.append(("train", model.training, torch.is_grad_enabled()))
        return model(torch.ones(len(batch), 1)).mean()

    def validate() -> float:
        modes.append(("validation", model.training, torch.is_grad_enabled()))
        return 0.0

    fit(model, batch_loss, 4, TrainOptions(epochs=2), validate=validate)
    assert set(modes) == {("train", True, True), ("validation", False, False)}
    assert not model.training


def test_of_equal_losses_the_first_epoch_is_kept():
    seen = []

    def validate() -> float:
        seen.append(model.weight.item())
        return 1.0

    model = nn.Linear(1, 1)
    options = TrainOptions(epochs=9, patience=2)
    history = fit(
        model, lambda batch: model(torch.ones(len(batch), 1)).mean(), 8, options, validate=validate
    )
    assert len(history) == 3
    assert model.weight.item() == seen[0]


def test_a_loss_that_is_no_number_stops_with_what_to_try():
    with pytest.raises(InputError) as caught:
        line(TrainOptions(epochs=3, learning_rate=0.5), scale=1e30, label="gru seed 0")
    assert str(caught.value) == (
        "gru seed 0: the training loss is inf in epoch 1; lower training.learning_rate (now 0.5)"
        " or training.clip_norm (now 1)"
    )


def test_the_cosine_schedule_falls_from_the_whole_rate_towards_a_hundredth():
    options = TrainOptions(epochs=10, learning_rate=1.0)
    rates = [learning_rate(options, epoch) for epoch in range(1, 11)]
    assert rates[0] == 1.0
    assert rates == sorted(rates, reverse=True)
    assert rates[5] == pytest.approx(0.01 + 0.99 * 0.5)
    constant = TrainOptions(epochs=10, learning_rate=1.0, schedule="constant")
    assert {learning_rate(constant, epoch) for epoch in range(1, 11)} == {1.0}


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    options = TrainOptions(epochs=3, batch_size=8)
    first, second, other = (line(options, seed) for seed in (0, 0, 1))
    assert first[1][-1].train_loss == second[1][-1].train_loss
    assert first[0].weight.equal(second[0].weight)
    assert not first[0].weight.equal(other[0].weight)


def test_the_users_random_state_and_threads_are_left_as_they_were():
    before, state = torch.get_num_threads(), torch.get_rng_state()
    with deterministic(3, threads=before + 1):
        assert torch.get_num_threads() == before + 1
        torch.rand(1)
    assert torch.get_num_threads() == before
    assert torch.get_rng_state().equal(state)


def test_without_validation_all_epochs_run_and_their_loss_is_unknown():
    _, history = line(TrainOptions(epochs=10), epochs=4)
    assert len(history) == 4
    assert all(math.isnan(row.validation_loss) for row in history)


def test_without_early_stopping_all_epochs_run_and_the_last_weights_stay():
    model = nn.Linear(1, 1)
    options = TrainOptions(epochs=6, patience=1, early_stopping=False)
    losses = iter([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    seen = []

    def validate() -> float:
        seen.append(model.weight.item())
        return next(losses)

    history = fit(
        model, lambda batch: model(torch.ones(len(batch), 1)).mean(), 8, options, validate=validate
    )
    assert [row.validation_loss for row in history] == [1, 2, 3, 4, 5, 6]
    assert model.weight.item() == seen[-1] != seen[0]
    assert kept(history, options).epoch == 6
    assert kept(history, TrainOptions(epochs=6)).epoch == 1


def test_averaged_weights_are_validated_and_kept_and_training_goes_on_without_them():
    averaging = TrainOptions(epochs=4, batch_size=16, averaging=0.9)
    plain = TrainOptions(epochs=4, batch_size=16)
    seen: list[float] = []
    with deterministic(0, threads=1):
        model = nn.Linear(1, 1)
        x = torch.linspace(-1, 1, 64)[:, None]
        weights: list[float] = [model.weight.item()]

        def batch_loss(batch: Tensor) -> Tensor:
            if len(weights) < 17:
                weights.append(model.weight.item())
            return nn.functional.mse_loss(model(x[batch]), 2 * x[batch] + 1)

        def validate() -> float:
            seen.append(model.weight.item())
            return 1.0 / len(seen)

        fit(model, batch_loss, 64, averaging, validate=validate)
    trajectory = [*weights[2:]]  # weights after each step, as the next step finds them
    mean = weights[0]
    for step, weight in enumerate(trajectory):
        share = max(0.1, 9 / (10 + step))
        mean += share * (weight - mean)
        if step + 1 in (4, 8, 12):
            assert seen[(step + 1) // 4 - 1] == pytest.approx(mean, rel=1e-5)
    assert model.weight.item() == seen[-1]
    ordinary, _ = line(plain)
    averaged, _ = line(averaging)
    assert not ordinary.weight.equal(averaged.weight)
    again, _ = line(averaging)
    assert averaged.weight.equal(again.weight)


def test_the_best_averaged_weights_are_restored():
    losses = iter([3.0, 1.0, 2.0, 4.0])
    seen = []

    def validate() -> float:
        seen.append(model.weight.item())
        return next(losses)

    model = nn.Linear(1, 1)
    options = TrainOptions(epochs=4, averaging=0.5)
    fit(model, lambda batch: model(torch.ones(len(batch), 1)).mean(), 8, options, validate=validate)
    assert model.weight.item() == seen[1]
