"""The one training loop: every network of every job is fitted by it.

A job says where its losses come from (`Task`) and how it is trained (`Plan`). All that a training is at
one moment is its `State`.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import torch
from torch import Tensor, nn

from unrolled.errors import InputError
from unrolled.training.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

# Network, a few of its inputs, its `parameters` before the last step -> numbers for the history.
Watch = Callable[[nn.Module, Tensor, Tensor], dict[str, float]]
WATCHED = 8  # inputs looked at

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


class Task(Protocol):
    """What a network is trained on; it knows its place in the data."""

    def loss(self) -> tuple[Tensor, int]:
        """Mean loss of the next batch, a scalar, and the number of targets that it is the mean of."""

    def validate(self) -> float:
        """Loss of the network as it stands on what it is not trained on; NaN where there is nothing."""

    def inputs(self) -> Tensor:
        """A few inputs of the network, whose health is looked at."""


@dataclass(frozen=True)
class Plan:
    """How a network is trained.

    Attributes:
        steps: at most.
        epoch: steps of one pass over the data.
        due: whether the network is validated after a step (from 1); after the last it always is.
        rate: step size in a step (from 1).
        optimiser: made for the parameters.
        clip: largest L2 norm of the gradient, or its largest element; None: not clipped.
        clip_by: which of them.
        keep: the weights of the best validation, or the last.
        patience: validations without a better one to stop at; None: never.
        enough: validation loss that ends training where it is below, or no number; None: none does.
        halve: the step size is halved after each validation that is no better than the best.
        averaging: share that the mean of the weights keeps at a step; this mean is validated and kept
            (0: the weights themselves).
        divergence: a loss above so many times the first ends the training with an error, and so does
            one that is no finite number; None: neither does.
        advice: what to change then, for the error.
        watch_every: steps from one look at the network's health to the next, at validations.
        unit: what progress is counted in.
    """

    steps: int
    epoch: float
    due: Callable[[int], bool]
    rate: Callable[[int], float]
    optimiser: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
    clip: float | None = None
    clip_by: Literal["norm", "value"] = "norm"
    keep: Literal["best", "last"] = "best"
    patience: int | None = None
    enough: float | None = None
    halve: bool = False
    averaging: float = 0.0
    divergence: float | None = None
    advice: str = ""
    watch_every: int = 0
    unit: Literal["epoch", "step"] = "step"


@dataclass(frozen=True)
class Row:
    """One row of a learning curve, at a validation; means are since the row before.

    Attributes:
        step: steps trained.
        epoch: passes over the data.
        train_loss: mean over targets.
        validation_loss: NaN where nothing is validated on.
        gradient_norm: mean norm before clipping (Pascanu et al. 2013, arXiv 1211.5063).
        clipped: share of the steps whose gradient was clipped.
        learning_rate: of the last step.
        update_ratio: this and what follows: see `gradients.health.watch`; NaN where not watched.
    """

    step: int
    epoch: float
    train_loss: float
    validation_loss: float
    gradient_norm: float
    clipped: float
    learning_rate: float
    update_ratio: float = math.nan
    saturated_share: float = math.nan
    gradient_at_lag: float = math.nan


@dataclass
class State:
    """All that a training is at one moment, with torch's random state and the task's own place.

    Attributes:
        step: steps done.
        history: a row a validation.
        best: lowest validation loss so far, and the `best_weights` that had it, None for none.
        best_at: number of its row.
        halvings: of the step size.
        mean: averaged parameters, where they are averaged.
        first_loss: of the first step.
        losses: of the steps since the last row, with their `targets` and the `norms` of their gradients.
        unwatched: steps since the network's health was looked at.
    """

    model: nn.Module
    task: Task
    optimiser: torch.optim.Optimizer
    step: int = 0
    history: list[Row] = field(default_factory=list)
    best: float = math.inf
    best_at: int = 0
    best_weights: dict[str, Tensor] | None = None
    halvings: int = 0
    mean: Tensor | None = None
    first_loss: float = math.nan
    losses: list[Tensor] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    norms: list[Tensor] = field(default_factory=list)
    unwatched: int = 0


def fit(
    model: nn.Module, task: Task, plan: Plan, watch: Watch | None = None, label: str = "model"
) -> list[Row]:
    """Train a network in place.

    Args:
        model: left with the weights that the plan keeps, and not in training.
        task: what it is trained on.
        plan: how.
        watch: measures its health at validations.
        label: names it in the progress bar and in errors.

    Returns:
        The learning curve, a row a validation.

    Raises:
        InputError: the loss is no longer a number, or above `plan.divergence`.
    """
    state = State(model, task, plan.optimiser(model.parameters()))
    state.mean = parameters(model) if plan.averaging else None
    by_step = plan.unit == "step"
    bar = Progress(label, plan.steps if by_step else round(plan.steps / plan.epoch), plan.unit)
    ended = False
    while not ended:
        last = state.step + 1 == plan.steps
        due = last or plan.due(state.step + 1)
        before = _step(state, plan, label, remember=due and watch is not None)
        if due:
            loss = _validate(state, plan)
            ended = last or _ends(state, plan, loss)
            health = {}
            if watch and (ended or state.unwatched >= plan.watch_every):
                health, state.unwatched = watch(model, task.inputs(), before), 0
            row = _row(state, plan, loss, health)
            bar.update(train=row.train_loss, validation=loss)
        elif by_step:
            bar.update()
    bar.close()
    if state.best_weights is not None:
        model.load_state_dict(state.best_weights)
    elif state.mean is not None:
        _set(model, state.mean)
    model.eval()
    return state.history


def _step(state: State, plan: Plan, label: str, *, remember: bool) -> Tensor:
    """Train for one step; the parameters before it, where they are to be remembered."""
    model, optimiser = state.model, state.optimiser
    state.step += 1
    for group in optimiser.param_groups:
        group["lr"] = _rate(state, plan)
    if not model.training:
        model.train()
    loss, targets = state.task.loss()
    optimiser.zero_grad()
    loss.backward()
    state.norms.append(_clip(list(model.parameters()), plan))
    before = parameters(model) if remember else torch.empty(0)
    optimiser.step()
    if state.mean is not None:
        # At first few steps are averaged, so that the weights of the start are forgotten.
        share = max(1 - plan.averaging, 9 / (9 + state.step))
        state.mean.lerp_(parameters(model), share)
    state.losses.append(loss.detach())
    state.targets.append(targets)
    state.unwatched += 1
    if plan.divergence is not None:
        _refuse_diverged(state, plan, label)
    return before


def _rate(state: State, plan: Plan) -> float:
    return plan.rate(state.step) / 2**state.halvings


def _clip(parameters: list[nn.Parameter], plan: Plan) -> Tensor:
    """Clip the gradients as the plan says; their norm, or largest element, before; NaN without a limit."""
    if plan.clip is None:
        return torch.full((), math.nan)
    if plan.clip_by == "norm":
        return nn.utils.clip_grad_norm_(parameters, plan.clip)
    gradients = [p.grad for p in parameters if p.grad is not None]
    largest = torch.stack([gradient.abs().max() for gradient in gradients]).max()
    nn.utils.clip_grad_value_(parameters, plan.clip)
    return largest


def _refuse_diverged(state: State, plan: Plan, label: str) -> None:
    assert plan.divergence is not None
    loss, compared = float(state.losses[-1]), math.isfinite(plan.divergence)
    if state.step == 1:
        state.first_loss = loss
    if math.isfinite(loss) and (not compared or loss <= plan.divergence * state.first_loss):
        return
    number = state.step if plan.unit == "step" else math.ceil(state.step / plan.epoch)
    was = f", but was {state.first_loss:.4g} in the first" if compared else ""
    raise InputError(
        f"{label}: the training loss is {loss:.4g} in {plan.unit} {number}{was}; {plan.advice}"
    )


def _validate(state: State, plan: Plan) -> float:
    """Validate the network, and remember it where it is the best so far."""
    state.model.eval()
    with torch.no_grad(), _in_place(state.model, state.mean):
        loss = state.task.validate()
        better = loss < state.best  # never of NaN
        if better and plan.keep == "best":
            state.best_weights = _copy(state.model)
    if better:
        state.best, state.best_at = loss, len(state.history) + 1
    elif plan.halve:
        state.halvings += 1
    return loss


def _ends(state: State, plan: Plan, loss: float) -> bool:
    """Whether a validation ends the training."""
    if plan.enough is not None and not loss >= plan.enough:
        return True
    since = len(state.history) + 1 - state.best_at
    return plan.patience is not None and since >= plan.patience


def _row(state: State, plan: Plan, validation_loss: float, health: dict[str, float]) -> Row:
    """Add a row to the history, of the steps since the one before."""
    targets = torch.tensor(state.targets, dtype=torch.float64)
    losses, norms = torch.stack(state.losses).double(), torch.stack(state.norms).double()
    row = Row(
        step=state.step,
        epoch=state.step / plan.epoch,
        train_loss=float(losses @ targets / targets.sum()),
        validation_loss=validation_loss,
        gradient_norm=float(norms.mean()),
        clipped=0.0 if plan.clip is None else float((norms > plan.clip).double().mean()),
        learning_rate=state.optimiser.param_groups[0]["lr"],
        **health,
    )
    state.history.append(row)
    state.losses, state.targets, state.norms = [], [], []
    return row


def best(history: list[Row]) -> Row:
    """The row of the lowest validation loss, the first of equals; without validation the last."""
    if math.isnan(history[-1].validation_loss):
        return history[-1]
    return min(history, key=lambda row: (row.validation_loss, row.step))


def half_cosine(share: float) -> float:
    """From 1 at the start (a share of 0 of the steps) to 0 at the end (1)."""
    return 0.5 * (1 + math.cos(math.pi * share))


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
