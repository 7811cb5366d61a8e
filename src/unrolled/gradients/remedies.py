"""Which remedy lets a network learn over how many steps, measured cell by cell.

A cell of the matrix is one remedy on one task of one length with one seed.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from unrolled.errors import InputError
from unrolled.gradients.flow import carried, flow, labelled, state_gradients
from unrolled.gradients.options import REMEDIES, MatrixOptions, Remedy
from unrolled.gradients.tasks import TASKS, Task
from unrolled.recurrent.layer import Recurrent
from unrolled.recurrent.options import LayerOptions
from unrolled.training.loop import WATCHED, Plan, deterministic, fit

SOLVED, DIVERGED = 0.5, 10.0  # loss relative to chance: below, above
FLOW_BATCH = 32  # sequences over which the gradient is measured

OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
}


class Outcome(NamedTuple):
    """A trained cell of the matrix."""

    record: dict[str, Any]
    flow: pd.DataFrame
    first: TaskNetwork
    network: TaskNetwork


class TaskNetwork(nn.Module):
    """A recurrent layer and a linear head on its outputs."""

    def __init__(self, options: LayerOptions, task: Task) -> None:
        """Build both."""
        super().__init__()
        self.layer = Recurrent(options, task.features)
        self.head = nn.Linear(options.outputs, task.outputs)

    def forward(self, x: Tensor, last: int, truncate: int | None = None) -> Tensor:
        """Predict.

        Args:
            x: (T, B, F).
            last: K, steps to predict at, the last ones.
            truncate: steps after which the gradient on the state is cut; None: never.

        Returns:
            (K, B, outputs).
        """
        outputs, state = [], None
        for chunk in x.split(truncate or len(x)):
            output, state = self.layer(chunk, state)
            state = tuple(tensor.detach() for tensor in state) if truncate else state
            outputs.append(output)
        return self.head(torch.cat(outputs)[-last:])


def layer_options(remedy: Remedy, hidden: int, length: int) -> LayerOptions:
    """Options of a remedy's layer on a task of a length."""
    chrono = remedy.layer.get("forget_bias") == "chrono"
    longest = {"longest_lag": length} if chrono else {}
    plain = {"cell": "rnn", "hidden": hidden}
    return LayerOptions.model_validate(plain | remedy.layer | longest)


def run_cell(
    remedy: str, task: str, length: int, seed: int, options: MatrixOptions
) -> dict[str, Any]:
    """Train one cell of the matrix; see `train_cell`."""
    return train_cell(remedy, task, length, seed, options).record


def train_cell(remedy: str, task: str, length: int, seed: int, options: MatrixOptions) -> Outcome:
    """Train one cell of the matrix until it is solved, is no longer a number, or has had its steps.

    Args:
        remedy: its name in `REMEDIES`.
        task: adding or copy.
        length: T of the task.
        seed: of weights and data; the same data for every remedy.
        options: sizes and step size.

    Returns:
        The record: `remedy, task, length, seed`, `solved` (loss under half of chance on fresh
        data), `diverged` (the last loss is no number or above ten times chance), `steps` (trained,
        to the solution where there is one), `loss` (of the last evaluation), `chance`, `clipped`
        (share of steps), and `gradient_before` and `gradient_after` training: the norm on the state
        at lag `length - 1` relative to lag 0, of the last step's loss.
        The flow before and after, as in `gradients.flow`, with the remedy as its variant.
        The network as initialised, and as trained.

    Raises:
        InputError: an unknown remedy or task.
    """
    for name, known in ((remedy, REMEDIES), (task, TASKS)):
        if name not in known:
            raise InputError(f"{name!r} is not known; expected one of {', '.join(known)}")
    return train_remedy(remedy, REMEDIES[remedy], task, length, seed, options)


def train_remedy(
    name: str, remedy: Remedy, task: str, length: int, seed: int, options: MatrixOptions
) -> Outcome:
    """Train a remedy that may lie outside the matrix, as any variant of the recurrent room.

    Args:
        name: what the record calls it.
        remedy: what it changes.
        task: adding or copy.
        length: T of the task.
        seed: of weights and data.
        options: sizes and step size.

    Returns:
        As `train_cell`.
    """
    problem = TASKS[task]
    with deterministic(seed, options.threads):
        network = TaskNetwork(layer_options(remedy, options.hidden, length), problem)
        first = deepcopy(network)
        result = _train(network, remedy, problem, length, seed, options)
    curves = []
    for trained, net in ((False, first), (True, network)):
        curve = flow(carried(last_step_gradients(net, task, length, seed)))
        init = network.layer.options.init
        curves.append(labelled(curve, variant=name, init=init, trained=trained, seed=seed))
    before, after = (float(curve["gradient_norm"].iloc[length - 1]) for curve in curves)
    cell = {"remedy": name, "task": task, "length": length, "seed": seed}
    record = cell | result | {"gradient_before": before, "gradient_after": after}
    return Outcome(record, pd.concat(curves, ignore_index=True), first, network)


@dataclass
class DrawnTask:
    """A task whose sequences are drawn anew at every step; a `Task` of the training loop."""

    network: TaskNetwork
    task: Task
    length: int
    options: MatrixOptions
    truncate: int | None
    generator: torch.Generator
    read: Tensor = field(default_factory=lambda: torch.empty(0, 0, 0))

    def loss(self) -> tuple[Tensor, int]:
        """Of fresh sequences."""
        size = self.options.batch_size
        self.read, y = self.task.draw(self.length, size, self.generator)
        return self.task.loss(self.network(self.read, len(y), self.truncate), y), size

    def validate(self) -> float:
        """Of fresh sequences too: no network sees one twice."""
        x, y = self.task.draw(self.length, self.options.evaluation_size, self.generator)
        return float(self.task.loss(self.network(x, len(y)), y))

    def inputs(self) -> Tensor:
        """Those of the last step."""
        return self.read[:, :WATCHED]


def plan(remedy: Remedy, options: MatrixOptions, chance: float) -> Plan:
    """How a cell is trained: until its loss is under half of chance, or is no number."""
    return Plan(
        steps=options.steps,
        epoch=options.evaluate_every,
        due=lambda step: step % options.evaluate_every == 0,
        rate=lambda step: options.learning_rate * min(1.0, step / max(1, remedy.warm_up)),
        optimiser=partial(OPTIMISERS[remedy.optimiser], lr=options.learning_rate),
        clip=remedy.clip_norm or remedy.clip_value,
        clip_by="norm" if remedy.clip_norm else "value",
        keep="last",
        enough=SOLVED * chance,
    )


def _train(
    network: TaskNetwork, remedy: Remedy, task: Task, length: int, seed: int, options: MatrixOptions
) -> dict[str, Any]:
    chance = task.chance(length)
    generator = torch.Generator().manual_seed(seed)
    drawn = DrawnTask(network, task, length, options, remedy.truncate, generator)
    history = fit(network, drawn, plan(remedy, options, chance))
    loss = history[-1].validation_loss
    steps = np.diff([0, *(row.step for row in history)])
    return {
        "solved": loss < SOLVED * chance,
        "diverged": not loss <= DIVERGED * chance,
        "steps": history[-1].step,
        "loss": loss,
        "chance": chance,
        "clipped": float(np.average([row.clipped for row in history], weights=steps)),
    }


def last_step_gradients(
    network: TaskNetwork, task: str, length: int, seed: int
) -> dict[str, Tensor]:
    """Gradients of the last step's loss on the states, in float64, which long lags need.

    Args:
        network: unchanged.
        task: adding or copy.
        length: T of the task.
        seed: of the data.

    Returns:
        As `flow.state_gradients`.
    """
    net, problem = deepcopy(network).double(), TASKS[task]
    x, y = drawn(task, length, seed)
    return state_gradients(
        net.layer, x, lambda outputs: problem.loss(net.head(outputs[-1:]), y[-1:])
    )


def drawn(task: str, length: int, seed: int) -> tuple[Tensor, Tensor]:
    """The sequences on which a network is looked at, in float64."""
    x, y = TASKS[task].draw(length, FLOW_BATCH, torch.Generator().manual_seed(seed))
    return x.double(), y.double() if y.is_floating_point() else y
