"""Two tasks that are solved only by remembering: adding and copying.

Axis letters: B batch, T time, F features, K steps that count in the loss, V symbols. Every batch is
drawn anew, so that the loss of a batch not yet trained on is a loss on fresh data. A network that
remembers nothing gets the chance loss at best; the line belongs in every picture, since published
values such as 0.02 for copying over 1,000 steps lie on it.

>>> x, y = draw_adding(length=6, batch=2, generator=torch.Generator().manual_seed(0))
>>> x.shape, y.shape, x[:3, :, 1].sum(0), x[3:, :, 1].sum(0)
(torch.Size([6, 2, 2]), torch.Size([1, 2, 1]), tensor([1., 1.]), tensor([1., 1.]))
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

SYMBOLS, COPIED = 8, 10  # kinds of symbols, and how many of them are to be copied
BLANK, DELIMITER = SYMBOLS, SYMBOLS + 1


@dataclass(frozen=True)
class Task:
    """What a network reads, what it must say, and how it is scored."""

    features: int
    outputs: int
    draw: Callable[[int, int, torch.Generator], tuple[Tensor, Tensor]]
    """Length, batch, generator -> inputs (T, B, F), targets of the last K steps (K, B, ...)."""
    loss: Callable[[Tensor, Tensor], Tensor]
    """Predictions (K, B, outputs), targets -> mean loss, a scalar."""
    chance: Callable[[int], float]
    """Length -> loss of the best answer without memory."""


def draw_adding(length: int, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Add the two marked numbers (Hochreiter and Schmidhuber 1997; halves: Arjovsky et al. 2016).

    One mark lies in each half, so that they are T / 2 steps apart in the mean; drawn anywhere, as
    in some other versions, they would be T / 3 apart.

    Args:
        length: T, at least 2.
        batch: B.
        generator: source of the numbers.

    Returns:
        Inputs (T, B, 2), a number from U(0, 1) and a mark that is 1 at two steps, else 0; the sum
        of the two marked numbers (1, B, 1).
    """
    numbers = torch.rand(length, batch, generator=generator)  # (T, B)
    half = length // 2
    first = torch.randint(half, (1, batch), generator=generator)
    second = torch.randint(half, length, (1, batch), generator=generator)
    marked = torch.cat([first, second])  # (2, B)
    marks = torch.zeros(length, batch).scatter_(0, marked, 1.0)
    sums = numbers.gather(0, marked).sum(0)  # (B,)
    return torch.stack([numbers, marks], dim=2), sums[None, :, None]


def draw_copy(length: int, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Repeat ten symbols after a pause (Arjovsky et al. 2016, arXiv 1511.06464, section 5.1).

    Read: ten of eight symbols, T - 1 blanks, a delimiter, ten blanks. Say: T + 10 blanks, then the
    ten symbols. Inputs are one-hot; as numbers, symbols would be ordered, which is another task.

    Args:
        length: T, at least 1, the steps between a symbol read and said, less ten.
        batch: B.
        generator: source of the symbols.

    Returns:
        Inputs (T + 20, B, 10), symbols, blank and delimiter; targets int64 (T + 20, B), 8 is blank.
    """
    symbols = torch.randint(SYMBOLS, (COPIED, batch), generator=generator)
    blanks = torch.full((length + COPIED, batch), BLANK)
    read = torch.cat([symbols, blanks])
    read[length + COPIED - 1] = DELIMITER
    return functional.one_hot(read, SYMBOLS + 2).float(), torch.cat([blanks, symbols])


def cross_entropy(predictions: Tensor, targets: Tensor) -> Tensor:
    """Mean over steps and sequences, nats: (K, B, V), int64 (K, B) -> scalar."""
    return functional.cross_entropy(predictions.flatten(0, 1), targets.flatten())


def adding_chance(_length: int) -> float:
    """Mean squared error of always saying 1: the variance of a sum of two U(0, 1), 1 / 6."""
    return 1 / 6


def copy_chance(length: int) -> float:
    """Cross-entropy of blanks where they are due, then guesses: 10 ln 8 / (T + 20) nats a step."""
    return COPIED * math.log(SYMBOLS) / (length + 2 * COPIED)


TASKS = {
    "adding": Task(2, 1, draw_adding, functional.mse_loss, adding_chance),
    "copy": Task(SYMBOLS + 2, SYMBOLS + 1, draw_copy, cross_entropy, copy_chance),
}
