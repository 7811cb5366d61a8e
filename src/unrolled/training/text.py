"""Train and run a language model on a stream of ids.

Without document boundaries the training text is cut into as many contiguous streams as a batch
holds; they are read side by side in chunks, and the state is carried from chunk to chunk. With
boundaries each document is read from a fresh state, beside others of about its length; a document
longer than a chunk is read in chunks too. Both are the same to the code: streams, each a first
symbol and a number of targets.

Letters: N symbols of a text, B streams, T steps, V ids of the vocabulary.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from unrolled.recurrent.cells import Cell, State
from unrolled.recurrent.forecaster import parameter_count
from unrolled.recurrent.language_model import BY_SYMBOL, LanguageModel
from unrolled.recurrent.layer import Manual, has_bfloat16
from unrolled.recurrent.options import LanguageOptions
from unrolled.text.vocabulary import Ids, Vocabulary
from unrolled.training.arrays import Array, NotInNumpy, in_numpy, on_one_thread
from unrolled.training.cards import LanguageSpec
from unrolled.training.loop import WATCHED, Plan, Row, Watch, deterministic, fit, half_cosine
from unrolled.training.options import TextTrainOptions
from unrolled.training.text_streams import (
    IGNORED,
    Streams,
    batched,
    chunk_of,
    contiguous,
    cut,
    documents,
    one_epoch,
)

logger = logging.getLogger(__name__)

Step = Callable[[Tensor, State | None], tuple[Tensor, State]]

# Streams read side by side when a text is scored, and logits held at once (64 MB).
SCORED_TOGETHER = 64
LOGITS = 1 << 24
# Where no passes are asked for: steps at least, unless that were more passes than these (measured on
# the first 4 KB to 100 KB of plays and on names: with fewer steps the unigram can be better).
STEPS, FEWEST_PASSES, MOST_PASSES = 400, 4, 100


def fit_language_model(
    train: Ids,
    validation: Ids | None,
    vocabulary: Vocabulary,
    model: LanguageOptions,
    training: TextTrainOptions,
    seed: int,
    label: str = "model",
    watch: Watch | None = None,
    start: dict[str, Tensor] | None = None,
) -> tuple[dict[str, Tensor], list[Row], int]:
    """Fit one variant with one seed.

    Args:
        train: ids (N,) as `vocabulary.encode` gives them; may be memory-mapped.
        validation: ids likewise, of which the loss chooses the weights; None keeps the last.
        vocabulary: of both.
        model: what the network is made of.
        training: how it is trained.
        seed: of the first weights, the order of documents and the dropouts.
        label: names the model in the progress bar and in errors.
        watch: measures the health of the network at each evaluation.
        start: weights to go on from, as `carried_over` gives them; None: drawn anew.

    Returns:
        Weights, learning curve, number of parameters.

    Raises:
        InputError: the loss is no longer a number, or three times what it was at first.
    """
    with deterministic(seed, training.threads):
        net = LanguageModel(model, vocabulary.size)
        own = net.state_dict()
        for name, given in (start or {}).items():
            own[name].copy_(torch.where(given.isnan(), own[name], given))
        history = _fit(net, train, validation, vocabulary.bos, training, label, watch)
    return net.state_dict(), history, parameter_count(net)


def carried_over(
    weights: dict[str, Tensor], theirs: Vocabulary, ours: Vocabulary
) -> dict[str, Tensor]:
    """Weights of a trained network under another vocabulary.

    Args:
        weights: of the trained network.
        theirs: its vocabulary.
        ours: the other one; both with boundaries, or neither.

    Returns:
        The same tensors, rows of symbols by our ids; NaN for characters that are not in `theirs`.
    """
    place = {character: i for i, character in enumerate(theirs.characters, theirs.first)}
    known = [*range(ours.first), *(place.get(character, -1) for character in ours.characters)]
    rows = torch.tensor(known)
    found = dict(weights)
    for name in set(BY_SYMBOL) & set(weights):
        found[name] = weights[name][rows.clamp(min=0)]
        found[name][rows < 0] = torch.nan
    return found


@dataclass
class ChunkTask:
    """Language modelling on the chunks of a text; a `Task` of the training loop.

    Attributes:
        net: the language model.
        train: ids (N,).
        validation: ids of which every symbol is asked; None: nothing is validated on.
        bos: id before each document; None where the text is one stream.
        options: how it is cut into chunks.
        half: the matrix products are in bfloat16.
        plan: batches of streams of this epoch that are not read whole, the first in reading from `at`.
        state: where the network was left by the chunk before.
        read: inputs of the last chunk (T, B).
    """

    net: LanguageModel
    train: Ids
    validation: Ids | None
    bos: int | None
    options: TextTrainOptions
    half: bool
    plan: list[Streams] = field(default_factory=list)
    at: int = 0
    state: State | None = None
    read: Tensor = field(default_factory=lambda: torch.empty(0, 0))

    def loss(self) -> tuple[Tensor, int]:
        """Of the next chunk, from the state in which the one before it has left the network."""
        streams, at, steps = self._next()
        if at == 0:
            self.state = None
        self.read, y, lengths = chunk_of(self.train, streams, at, steps)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            logits, state = self.net(self.read, self.state, lengths)
        self.state = tuple(tensor.detach().float() for tensor in state)
        loss = functional.cross_entropy(
            logits.flatten(0, 1).float(), y.flatten(), ignore_index=IGNORED
        )
        return loss, int((y != IGNORED).sum())

    def validate(self) -> float:
        """Of all symbols, exact."""
        return math.nan if self.validation is None else _mean(self.net, self.validation, self.bos)

    def inputs(self) -> Tensor:
        """Some streams of the last chunk."""
        return self.read[:, :WATCHED]

    def _next(self) -> tuple[Streams, int, int]:
        """Streams, the place in them of the next chunk (0 at their start) and its steps."""
        if not self.plan:
            self.plan = one_epoch(self.train, self.bos, self.options)
        streams, at = self.plan[0], self.at
        longest = int(streams.targets.max())
        # Of about the same length: the last step would else learn from a few symbols alone.
        steps = math.ceil(longest / math.ceil(longest / self.options.chunk))
        self.at += steps
        if self.at >= longest:
            self.plan, self.at = self.plan[1:], 0
        return streams, at, steps


def _fit(
    net: LanguageModel,
    train: Ids,
    validation: Ids | None,
    bos: int | None,
    training: TextTrainOptions,
    label: str,
    watch: Watch | None,
) -> list[Row]:
    an_epoch = sum(
        math.ceil(batch.targets.max() / training.chunk) for batch in one_epoch(train, bos, training)
    )
    total = max(1, round(passes(training.epochs, an_epoch) * an_epoch))
    due = {math.ceil(total * (i + 1) / training.evaluations) for i in range(training.evaluations)}
    plan = Plan(
        steps=total,
        epoch=an_epoch,
        due=due.__contains__,
        rate=lambda step: learning_rate(training, step, total),
        optimiser=partial(
            torch.optim.AdamW,
            lr=training.learning_rate,
            weight_decay=training.weight_decay,
            fused=True,
        ),
        clip=training.clip_norm,
        halve=training.schedule == "plateau",
        divergence=3.0,
        advice=training.calmer,
    )
    half = training.precision == "bfloat16" and has_bfloat16(nn.Linear)
    return fit(net, ChunkTask(net, train, validation, bos, training, half), plan, watch, label)


def passes(epochs: float | None, an_epoch: int) -> float:
    """Passes over the training text: as said, or by its size.

    >>> passes(None, 1000), passes(None, 16), passes(None, 1), passes(0.5, 16)
    (4, 25.0, 100, 0.5)
    """
    if epochs is not None:
        return epochs
    return max(FEWEST_PASSES, min(MOST_PASSES, STEPS / an_epoch))


def learning_rate(training: TextTrainOptions, step: int, total: int) -> float:
    """Step size in a step (from 1): a linear rise, then constant, or half a cosine to nothing."""
    rise = round(training.warmup * total)
    if step <= rise:
        return training.learning_rate * step / rise
    if training.schedule != "cosine":
        return training.learning_rate
    share = (step - rise - 1) / max(1, total - rise)
    return training.learning_rate * half_cosine(share)


def evaluate(
    weights: dict[str, Tensor],
    card: LanguageSpec,
    ids: Ids,
    vocabulary: Vocabulary,
    block: int | None = None,
) -> npt.NDArray[np.float32]:
    """Loss of each symbol given all before it in its document, exact.

    Args:
        weights: as `fit_language_model` returns them.
        card: the options that stand beside them: `model`, `training`, `seed`.
        ids: (N,) of held-out text.
        vocabulary: as in training.
        block: forget all every so many symbols of a document, as a model with a window does;
            None: never.

    Returns:
        -ln p in nats (N,); NaN where nothing is asked for (see `vocabulary.targets`).
    """
    with deterministic(card.seed, card.training.threads):
        return _losses(restored(weights, card), ids, vocabulary.bos, block)


def _mean(net: LanguageModel, ids: Ids, bos: int | None) -> float:
    return float(np.nanmean(_losses(net, ids, bos), dtype=np.float64))


@torch.no_grad()
def _losses(
    net: LanguageModel, ids: Ids, bos: int | None, block: int | None = None
) -> npt.NDArray[np.float32]:
    losses = np.full(len(ids), np.nan, np.float32)
    if bos is None and block is None:
        _one_stream(net, ids, losses)
        return losses
    streams = contiguous(len(ids), 1) if bos is None else documents(ids, bos)
    if block is not None:
        streams = cut(streams, block)
    for batch in batched(streams, SCORED_TOGETHER, np.arange(len(streams.first))):
        _read(net, ids, batch, None, losses)
    return losses


def _one_stream(net: LanguageModel, ids: Ids, losses: npt.NDArray[np.float32]) -> None:
    """Score one long stream by pieces side by side, as exactly as from its start to its end.

    A piece starts from the state in which the piece before it ended, which at first is a guess:
    the end of a reading from zero. Pieces whose start was wrong are read again until none is. A
    network that forgets needs two rounds; one that never does, as many as there are pieces.
    """
    streams = contiguous(len(ids), SCORED_TOGETHER)
    pieces = len(streams.first)
    starts = net.layer.initial_state(pieces)
    ends = tuple(torch.empty_like(tensor) for tensor in starts)
    again = torch.arange(pieces)
    while len(again):
        rows = again.numpy()
        part = Streams(streams.first[rows], streams.targets[rows])
        found = _read(net, ids, part, tuple(tensor[:, again] for tensor in starts), losses)
        moved = torch.zeros(pieces, dtype=torch.bool)
        for start, end, new in zip(starts, ends, found, strict=True):
            end[:, again] = new
            same = torch.isclose(start[:, 1:], end[:, :-1], rtol=1e-5, atol=1e-6)
            moved[1:] |= ~same.all(dim=2).all(dim=0)
        for start, end in zip(starts, ends, strict=True):
            start[:, 1:] = torch.where(moved[1:, None], end[:, :-1], start[:, 1:])
        again = moved.nonzero().squeeze(1)


def _read(
    net: LanguageModel,
    ids: Ids,
    streams: Streams,
    state: State | None,
    losses: npt.NDArray[np.float32],
) -> State:
    """Write the losses of streams, and give the state after them."""
    size = len(net.bias) * len(streams.first)
    chunk = min(256, max(1, LOGITS // size))
    for at in range(0, int(streams.targets.max()), chunk):
        x, y, lengths = chunk_of(ids, streams, at, chunk)
        logits, state = net(x, state, lengths)
        loss = functional.cross_entropy(
            logits.flatten(0, 1), y.flatten(), ignore_index=IGNORED, reduction="none"
        )
        asked = (y != IGNORED).numpy()
        places = streams.first + at + 1 + np.arange(len(y))[:, None]  # (T, B)
        losses[places[asked]] = loss.view_as(y).numpy()[asked]
    assert state is not None
    return state


def stepper(weights: dict[str, Tensor], card: LanguageSpec) -> Step:
    """One step for `sampling.generate`: `step(ids (B,), state) -> (logits (B, V), state)`.

    The same numbers as `LanguageModel.step`, on one thread, by the modules' own equations in numpy:
    what the first layer makes of each symbol is a row of a table, and nothing lies between the
    layers. Where a cell computes what numpy is not known to have, it is that step itself. The state
    before anything is read is None; `language_model.select` picks rows of it.
    """
    with deterministic(card.seed, card.training.threads):
        net = restored(weights, card).requires_grad_(requires_grad=False)
        layer = net.layer.by_hand().requires_grad_(requires_grad=False)
    cells = [cast("Cell", cast("Manual", block).directions[0]) for block in layer.blocks]
    for cell in cells:
        _lay_out(cell)
    embedded = net.embed(torch.arange(len(net.bias)))  # (V, E)
    embeddings, table = embedded.numpy(), cells[0].project(embedded).numpy()  # (V, G * H)
    try:
        floors = [
            (in_numpy(cell, "project"), in_numpy(cell, "step"), in_numpy(norm, "forward"))
            for cell, norm in zip(cells, layer.norms, strict=True)
        ]
        decode, residual = in_numpy(net, "decode"), layer.options.residual
    except NotInNumpy as error:
        logger.debug("written by torch: %s", error)
        return torch.no_grad()(net.step)

    @on_one_thread
    def step(ids: Tensor, state: State | None) -> tuple[Tensor, State]:
        symbols = ids.numpy()
        starts = layer.apart([s.numpy() for s in state or layer.initial_state(len(ids))])
        ends: list[tuple[Array, ...]] = []
        projected = table[symbols]
        x = embeddings[symbols] if residual else projected
        for (project, recur, norm), start in zip(floors, starts, strict=True):
            outputs, end = recur(project(x) if ends else projected, start)  # (B, H), states
            if residual and outputs.shape == x.shape:
                outputs = outputs + x
            x = norm(outputs)
            ends.append(end)
        after = tuple([torch.from_numpy(np.array(parts)) for parts in layer.together(ends)])
        return torch.from_numpy(decode(x)), after

    return step


def _lay_out(cell: Cell) -> None:
    """Store the recurrent weights by columns, which a product with one text reads faster."""
    if cell.weight_hh is not None:
        cell.weight_hh.data = cell.weight_hh.T.contiguous().T


def restored(weights: dict[str, Tensor], card: LanguageSpec) -> LanguageModel:
    """Build the network; draws weights that are thrown away, so only within `deterministic`."""
    net = LanguageModel(card.model, len(weights["embedding.weight"]))
    net.load_state_dict(weights)
    return net.eval()
