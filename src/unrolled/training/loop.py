"""One training loop for every variant: batches by index, clipping, schedule, early stopping."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from unrolled.errors import InputError
from unrolled.training.options import TrainOptions
from unrolled.training.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": nn.functional.mse_loss,
    "mae": nn.functional.l1_loss,
    "huber": nn.functional.huber_loss,
}

# Network, a few of its inputs, its `parameters` before the last step -> numbers for the history.
Watch = Callable[[nn.Module, Tensor, Tensor], dict[str, float]]
WATCH_EVERY, WATCHED = 300, 8  # steps, so that watching costs at most 3 % of them; windows

# torch has one random state and one thread count a process. Whatever draws, building a network
# included, holds this lock, so that variants trained in Kedro's threads give the same bits as one
# after the other.
_RANDOM_STATE = threading.RLock()


@contextmanager
def deterministic(seed: int, threads: int) -> Iterator[None]:
    """Own torch's random state and thread count, then give them back: same seed, same bits."""
    with _RANDOM_STATE:
        before, state = torch.get_num_threads(), torch.get_rng_state()
        torch.set_num_threads(threads)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            torch.set_num_threads(before)
            torch.set_rng_state(state)


@dataclass(frozen=True)
class Epoch:
    """One row of the learning curve; losses are means over windows, on the scaled values.

    `clipped` is the share of the steps whose gradient was clipped. What follows `learning_rate` is
    measured now and then, else NaN; see `gradients.health.watch`.
    """

    epoch: int
    train_loss: float
    validation_loss: float
    gradient_norm: float
    clipped: float
    learning_rate: float
    update_ratio: float = math.nan
    saturated_share: float = math.nan
    gradient_at_lag: float = math.nan


def fit(
    model: nn.Module,
    batch_loss: Callable[[Tensor], Tensor],
    windows: int,
    options: TrainOptions,
    *,
    validate: Callable[[], float] | None = None,
    epochs: int | None = None,
    watch: Callable[[Tensor], dict[str, float]] | None = None,
    label: str = "model",
) -> list[Epoch]:
    """Train in place with Adam; with `validate`, stop early and restore the best weights.

    Args:
        model: the network; changed in place.
        batch_loss: maps indices of training windows, int64 (B,), to their mean loss, a scalar.
        windows: number of training windows.
        options: step size, clipping, schedule, patience.
        validate: gives the validation loss of the model as it stands; None trains all epochs.
        epochs: epochs to run, at most `options.epochs`, on the schedule of all of them.
        watch: what to measure of the model's health in some epochs and the last, from its
            `parameters` before the epoch's last step.
        label: names the model in the progress bar and in errors.

    Returns:
        One row an epoch; `gradient_norm` is the mean L2 norm before clipping (Pascanu et al. 2013,
        arXiv 1211.5063).

    Raises:
        InputError: the loss is no longer a number.
    """
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    history: list[Epoch] = []
    mean, steps = parameters(model), 0
    stops_early = validate is not None and options.early_stopping
    best, best_at, best_weights = math.inf, 0, _copy(model)
    last, unwatched = epochs or options.epochs, 0
    bar = Progress(label, last, "epoch")
    for epoch in range(1, last + 1):
        rate = learning_rate(options, epoch)
        for group in optimiser.param_groups:
            group["lr"] = rate
        model.train()
        losses, norms = [], []
        batches = torch.randperm(windows).split(options.batch_size)
        before = torch.empty(0)
        for batch in batches:
            loss = batch_loss(batch)
            optimiser.zero_grad()
            loss.backward()
            norms.append(nn.utils.clip_grad_norm_(model.parameters(), options.clip_norm))
            if watch and batch is batches[-1]:
                before = parameters(model)
            optimiser.step()
            if options.averaging:
                # At first few steps are averaged, so that the weights of the start are forgotten.
                mean.lerp_(parameters(model), max(1 - options.averaging, 9 / (10 + steps)))
                steps += 1
            losses.append(loss.detach() * len(batch))
        train_loss = float(torch.stack(losses).sum()) / windows
        if not math.isfinite(train_loss):
            raise InputError(
                f"{label}: the training loss is {train_loss} in epoch {epoch}; lower"
                f" training.learning_rate (now {options.learning_rate:g}) or training.clip_norm"
                f" (now {options.clip_norm:g})"
            )
        model.eval()
        with torch.no_grad(), _in_place(model, mean if options.averaging else None):
            validation_loss = validate() if validate else math.nan
            if stops_early and validation_loss < best:
                best, best_at, best_weights = validation_loss, epoch, _copy(model)
        ends = epoch == last or (stops_early and epoch - best_at >= options.patience)
        unwatched += len(norms)
        health = {}
        if watch and (ends or unwatched >= WATCH_EVERY):
            health, unwatched = watch(before), 0
        norm = torch.stack(norms)
        clipped = float((norm > options.clip_norm).float().mean())
        history.append(
            Epoch(epoch, train_loss, validation_loss, float(norm.mean()), clipped, rate, **health)
        )
        bar.update(train=train_loss, validation=validation_loss)
        if ends:
            break
    bar.close()
    if stops_early:
        model.load_state_dict(best_weights)
    elif options.averaging:
        _set(model, mean)
    model.eval()
    return history


def best_epoch(history: list[Epoch]) -> int:
    """The epoch of the lowest validation loss, the first of equals."""
    return min(history, key=lambda row: (row.validation_loss, row.epoch)).epoch


def kept_epoch(history: list[Epoch], options: TrainOptions) -> int:
    """The epoch whose weights are kept."""
    return best_epoch(history) if options.early_stopping else history[-1].epoch


def learning_rate(options: TrainOptions, epoch: int) -> float:
    """Step size in an epoch (from 1): constant, or half a cosine down to a hundredth."""
    if options.schedule == "constant":
        return options.learning_rate
    share = (epoch - 1) / max(1, options.epochs)
    return options.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))


def parameters(model: nn.Module) -> Tensor:
    """Copy all parameters into one vector."""
    return nn.utils.parameters_to_vector(model.parameters()).detach()


@contextmanager
def _in_place(model: nn.Module, mean: Tensor | None) -> Iterator[None]:
    """The averaged parameters in place of the model's own, where there are some."""
    if mean is None:
        yield
        return
    own = parameters(model)
    _set(model, mean)
    try:
        yield
    finally:
        _set(model, own)


@torch.no_grad()
def _set(model: nn.Module, vector: Tensor) -> None:
    """Write `parameters` back; torch's own function would share memory with the vector."""
    own = list(model.parameters())
    for parameter, values in zip(own, vector.split([p.numel() for p in own]), strict=True):
        parameter.copy_(values.view_as(parameter))


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}
