"""Where streams lie in the ids of a text, how they are put into batches, and chunks cut out of them.

Letters: N symbols of a text, B streams, T steps.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from unrolled.text.vocabulary import Ids
from unrolled.training.options import TextTrainOptions

IGNORED = -100  # torch's mark of a target that is not asked for


class Streams(NamedTuple):
    """Where streams lie in the ids; each (B,) int64."""

    first: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]


def chunk_of(
    ids: Ids, streams: Streams, at: int, steps: int
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Cut the next steps out of streams.

    Returns:
        Inputs and targets, each int64 (T, B), `IGNORED` where a stream has ended; how many are
        real (B,), None for all. Only these symbols are copied.
    """
    left = np.clip(streams.targets - at, 0, steps)
    time = np.arange(left.max() + 1)[:, None]
    places = streams.first + at * (left > 0) + np.minimum(time, left)  # (T + 1, B)
    symbols = torch.from_numpy(ids[places].astype(np.int64))
    x, y = symbols[:-1], symbols[1:]
    if left.min() == left.max():
        return x, y, None
    ended = torch.from_numpy(time[:-1] >= left)
    return x, y.masked_fill(ended, IGNORED), torch.from_numpy(left)


def contiguous(symbols: int, pieces: int, least: int = 1) -> Streams:
    """Cut one long stream into pieces of about the same length, of `least` targets or more."""
    targets = symbols - 1
    edges = np.linspace(0, targets, max(1, min(pieces, targets // least)) + 1).astype(np.int64)
    return Streams(edges[:-1], np.diff(edges))


def documents(ids: Ids, bos: int) -> Streams:
    """Find the documents of a text that begins with one, or inside one."""
    first = np.union1d(0, np.flatnonzero(ids == bos))
    return Streams(first, np.diff(np.append(first, len(ids))) - 1)  # the next <bos> is no target


def cut(streams: Streams, block: int) -> Streams:
    """Cut each stream into pieces of so many targets."""
    pieces = -(-streams.targets // block)
    number = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    before = number * block  # targets of the same stream
    return Streams(
        np.repeat(streams.first, pieces) + before,
        np.minimum(block, np.repeat(streams.targets, pieces) - before),
    )


def batched(streams: Streams, size: int, order: npt.NDArray[np.int64]) -> list[Streams]:
    """Put streams of about the same length together; `order` decides among equals."""
    order = order[np.argsort(streams.targets[order], kind="stable")]
    order = order[streams.targets[order] > 0]
    cuts = np.arange(size, len(order), size)
    return [Streams(streams.first[rows], streams.targets[rows]) for rows in np.split(order, cuts)]


def one_epoch(ids: Ids, bos: int | None, training: TextTrainOptions) -> list[Streams]:
    """Batches of one epoch, documents in random order."""
    if bos is None:
        return [contiguous(len(ids), training.batch_size, training.chunk)]
    streams = documents(ids, bos)
    batches = batched(streams, training.batch_size, torch.randperm(len(streams.first)).numpy())
    return [batches[i] for i in torch.randperm(len(batches)).tolist()]
