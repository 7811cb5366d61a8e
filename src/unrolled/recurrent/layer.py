"""One interface for every recurrent layer: `layer(x, state, lengths) -> (outputs, state)`.

Axis letters: B batch, T time, F features, H hidden, L layers, D directions (2 if bidirectional).
Time-major `(T, B, F)`. A state is a tuple of tensors (L * D, B, H) in torch's order, layer by layer
and forward before backward: `(h,)`, or `(h, c)` of the LSTM. It is the same for torch's layers and
for our cells, as are the weights (`weights.copy_weights`), so either can go on where the other
stopped. A matrix is carried flat, so that every state has its batch second, and where layers have
different cells, those of the first cell come first.

>>> layer = Recurrent(LayerOptions(cell="lstm", hidden=5, layers=2), features=3)
>>> x = torch.zeros(7, 4, 3)  # (T, B, F)
>>> outputs, (h, c) = layer(x)
>>> outputs.shape, h.shape
(torch.Size([7, 4, 5]), torch.Size([2, 4, 5]))
>>> first, state = layer(x[:4])  # the state carried over a cut changes nothing
>>> rest, _ = layer(x[4:], state)
>>> torch.allclose(torch.cat([first, rest]), outputs)
True
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from unrolled.recurrent.cells import CELLS, Cell, State, filled
from unrolled.recurrent.description import Carried, descriptions
from unrolled.recurrent.initialisation import INITS, forget_bias
from unrolled.recurrent.options import LayerOptions
from unrolled.recurrent.weights import copy_weights

logger = logging.getLogger(__name__)

Part = TypeVar("Part")


class Recurrent(nn.Module):
    """A cell over time, as its options say.

    A layer reads the layer below through (variational) dropout; its input is then added to its
    outputs (residual), and the sum normalised over the units (Ba et al. 2016, arXiv 1607.06450; on
    the outputs, not in the recurrence). What is carried from step to step stays as the cell made it.
    """

    def __init__(self, options: LayerOptions, features: int) -> None:
        """Build and initialise the layers.

        Args:
            options: cell, sizes and extras.
            features: F, inputs a step.

        Raises:
            ValueError: a residual connection is asked for, and no layer's input is as wide as its
                outputs.
        """
        super().__init__()
        if options.residual and options.layers == 1 and features != options.outputs:
            raise ValueError(
                f"residual finds no layer to go around: layers is 1 and the {features} features are"
                f" not as many as the {options.outputs} outputs; set layers to 2 or more"
            )
        self.options, self.features = options, features
        # What torch's layer does not do between its layers is done here, between one-layer blocks.
        extras = options.variational_dropout or options.residual or options.layer_norm
        apart = extras or options.alternate or not options.library
        stacked = 1 if apart else options.layers
        widths = [features] + [options.outputs] * (options.layers // stacked - 1)
        self.names = options.cells[: len(widths)]
        self.blocks = nn.ModuleList(
            Library(options, name, width, stacked)
            if options.by_library(name)
            else Manual(options, name, width)
            for name, width in zip(self.names, widths, strict=True)
        )
        self.dropout = (
            VariationalDropout(options.variational_dropout)
            if options.variational_dropout
            else nn.Dropout(options.dropout)
        )
        self.norms = nn.ModuleList(
            nn.LayerNorm(options.outputs) if options.layer_norm else nn.Identity() for _ in widths
        )
        self.block_rows = stacked * options.directions
        # Of every tensor of the state: the blocks that share it, which are those of one cell.
        self._holders = [
            [block for block, name in enumerate(self.names) if name == cell.name]
            for cell in options.described
            for _ in cell.states
        ]
        self.first_state = nn.ParameterList(
            nn.Parameter(torch.zeros(rows, 1, width))
            for state, (rows, width) in zip(self._states(), self.state_shapes, strict=True)
            if options.learned_state and state.learned
        )
        if options.init != "default":  # which each block has drawn already
            INITS[options.init](self)
        if options.forget_bias is not None:
            forget_bias(self, options.forget_bias, options.longest_lag)

    def forward(
        self, x: Tensor, state: State | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Go through a sequence, or the next chunk of one.

        Args:
            x: (T, B, F), T at least 1.
            state: what the last call returned, each (L * D, B, H); None: zeros, or the learned.
            lengths: int64 (B,), real steps of each sequence from the first on, 0 to T; what x holds
                beyond them changes nothing. None: all steps are real.

        Returns:
            Outputs (T, B, H * D) of the last layer, 0 beyond the lengths, and the state after the
            last real step; for the backward direction the state after the first.

        Raises:
            ValueError: x, state or lengths of another shape.
        """
        self._check(x, state, lengths)
        if state is None:
            state = self.initial_state(x.shape[1])
        real = None
        if lengths is not None:
            real = (torch.arange(len(x), device=x.device)[:, None] < lengths)[
                :, :, None
            ]  # (T, B, 1)
            # Not by multiplication: padding may be NaN.
            x = x.masked_fill(~real, 0)
        starts = self.apart([tensor.split(self.block_rows) for tensor in state])
        ends = []
        for number, (block, norm, start) in enumerate(
            zip(self.blocks, self.norms, starts, strict=True)
        ):
            outputs, end = block(self.dropout(x) if number else x, start, real)
            if self.options.residual and outputs.shape == x.shape:
                outputs = outputs + x
            x = norm(outputs)
            if real is not None:
                x = x.masked_fill(~real, 0)
            ends.append(end)
        return x, tuple(map(torch.cat, self.together(ends)))

    def initial_state(self, batch: int) -> State:
        """The state before a sequence, each (L * D, B, H)."""
        example, learned = next(self.parameters()), iter(self.first_state)
        return tuple(
            # cuDNN takes no expanded tensors.
            next(learned).expand(-1, batch, -1).contiguous()
            if self.first_state and state.learned
            else filled(example, state.start, rows, batch, width)
            for state, (rows, width) in zip(self._states(), self.state_shapes, strict=True)
        )

    @property
    def state_shapes(self) -> list[tuple[int, int]]:
        """L * D and H of every tensor of the state; H is another number where a state is a matrix."""
        own = self.options.model_dump()
        return [
            (self.options.cells.count(cell.name) * self.options.directions, width)
            for cell in self.options.described
            for width in cell.widths(self.options.hidden, own).values()
        ]

    def _states(self) -> Iterator[Carried]:
        for cell in self.options.described:
            yield from cell.states.values()

    def apart(self, state: Iterable[Iterable[Part]]) -> list[tuple[Part, ...]]:
        """What belongs to each block, of the parts of every tensor of the state."""
        parts: list[list[Part]] = [[] for _ in self.names]
        for tensor, blocks in zip(state, self._holders, strict=True):
            for block, part in zip(blocks, tensor, strict=True):
                parts[block].append(part)
        return [tuple(part) for part in parts]

    def together(self, parts: Sequence[Sequence[Part]]) -> list[list[Part]]:
        """What belongs to every tensor of the state, of the parts of each block."""
        given = [iter(part) for part in parts]
        return [[next(given[block]) for block in blocks] for blocks in self._holders]

    def look_inside(self, x: Tensor, state: State | None = None) -> list[dict[str, Tensor]]:
        """Gates and states of every layer and direction, without dropout.

        Args:
            x: (T, B, F).
            state: each (L * D, B, H), or None.

        Returns:
            One dictionary a layer and direction, in the state's order: each gate and state by its
            letter in the cell's equations, (T, B, H) in time's order.
        """
        copy = self.by_hand().eval()
        seen: list[tuple[Tensor, State, None]] = []
        for block in copy.blocks:
            block.register_forward_pre_hook(lambda _, arguments: seen.append(arguments))
        copy(x, state)
        return [
            values
            for block, (inputs, start, _) in zip(copy.blocks, seen, strict=True)
            for values in cast("Manual", block).look_inside(inputs, start)
        ]

    def by_hand(self) -> Recurrent:
        """Copy the network with our cells in the place of torch's: same weights, same numbers."""
        with torch.random.fork_rng():  # the weights drawn at first are thrown away
            copy = Recurrent(self.options.model_copy(update={"manual": True}), self.features)
        copy.to(next(self.parameters()))
        copy_weights(self, copy)
        copy.first_state.load_state_dict(self.first_state.state_dict())
        if self.options.layer_norm:
            copy.norms.load_state_dict(self.norms.state_dict())
        return copy.train(self.training)

    def _check(self, x: Tensor, state: State | None, lengths: Tensor | None) -> None:
        if x.dim() != 3 or len(x) == 0 or x.shape[2] != self.features:
            raise ValueError(
                f"x is {tuple(x.shape)}; expected (T, B, F) with T at least 1 and F {self.features}"
            )
        batch = x.shape[1]
        if state is not None:
            shapes = [tuple(tensor.shape) for tensor in state]
            expected = [(rows, batch, width) for rows, width in self.state_shapes]
            if shapes != expected:
                raise ValueError(f"state is {shapes}; expected {expected} (L * D, B, H)")
        if lengths is not None and lengths.shape != (batch,):
            raise ValueError(
                f"lengths are {tuple(lengths.shape)}; expected one a sequence: ({batch},)"
            )


class Manual(nn.Module):
    """One layer of our cells, in one direction or both."""

    def __init__(self, options: LayerOptions, name: str, features: int) -> None:
        """Build a cell of this name for each direction."""
        super().__init__()
        own = descriptions()[name].own(options.model_dump())
        self.directions = nn.ModuleList(
            CELLS[name](features, options.hidden, **own) for _ in range(options.directions)
        )

    def forward(self, x: Tensor, state: State, real: Tensor | None) -> tuple[Tensor, State]:
        """(T, B, F), states (D, B, H), bool (T, B, 1) -> (T, B, D * H), states (D, B, H)."""
        outputs, ends = [], []
        for number, cell in enumerate(cast("Iterable[Cell]", self.directions)):
            start = tuple(tensor[number] for tensor in state)
            # Backwards the padding comes first, and the state stands still on it.
            steps = None if real is None else _turn(real, number)
            output, end = cell.run(_turn(x, number), start, steps)
            outputs.append(_turn(output, number))
            ends.append(end)
        return torch.cat(outputs, dim=2), tuple(torch.stack(s) for s in zip(*ends, strict=True))

    def look_inside(self, x: Tensor, state: State) -> list[dict[str, Tensor]]:
        """Gates and states of each direction, each (T, B, H)."""
        found = []
        for number, cell in enumerate(cast("Iterable[Cell]", self.directions)):
            start = tuple(tensor[number] for tensor in state)
            values = cell.look_inside(_turn(x, number), start)
            found.append({name: _turn(value, number) for name, value in values.items()})
        return found


def _turn(x: Tensor, direction: int) -> Tensor:
    """Reverse time for the backward direction, 1."""
    return x.flip(0) if direction else x


class Library(nn.Module):
    """One or more layers by torch's own nn.RNN, nn.LSTM or nn.GRU."""

    def __init__(self, options: LayerOptions, name: str, features: int, layers: int) -> None:
        """Build torch's layer for a cell of this name."""
        super().__init__()
        cell = descriptions()[name]
        own = {key: getattr(options, key) for key, one in cell.options.items() if one.library}
        make: Callable[..., nn.RNNBase] = getattr(nn, str(cell.library))
        self.rnn = make(
            features,
            options.hidden,
            num_layers=layers,
            bidirectional=options.bidirectional,
            dropout=options.dropout if layers > 1 else 0.0,
            **own,
        )

    def forward(self, x: Tensor, state: State, real: Tensor | None) -> tuple[Tensor, State]:
        """(T, B, F), states (L * D, B, H), bool (T, B, 1) -> (T, B, D * H), states."""
        if torch.is_autocast_enabled("cpu") and not has_bfloat16(type(self.rnn)):  # type: ignore[arg-type]
            with torch.autocast("cpu", enabled=False):
                return self._read(x.float(), state, real)
        return self._read(x, state, real)

    def _read(self, x: Tensor, state: State, real: Tensor | None) -> tuple[Tensor, State]:
        start = state if len(state) == 2 else state[0]
        if real is None:
            outputs, end = self.rnn(x, start)
            return outputs, end if isinstance(end, tuple) else (end,)
        lengths = real.sum((0, 2))  # (B,)
        # torch packs no empty sequence, so it reads one step of padding, which is then undone.
        packed = pack_padded_sequence(x, lengths.clamp(min=1).cpu(), enforce_sorted=False)
        outputs, end = self.rnn(packed, start)
        outputs, _ = pad_packed_sequence(outputs, total_length=len(x))
        ends = end if isinstance(end, tuple) else (end,)
        empty = (lengths == 0)[:, None]  # (B, 1)
        return outputs, tuple(
            torch.where(empty, before, after) for before, after in zip(state, ends, strict=True)
        )


@cache
def has_bfloat16(kind: type[nn.Module]) -> bool:
    """Whether torch can train a layer under autocast to bfloat16 here; one that cannot is logged.

    Tried, not looked up: which primitives oneDNN has depends on the processor, on its own version
    and on `ONEDNN_MAX_CPU_ISA`, and it says so by an error at the first call.

    Args:
        kind: a layer built from its numbers of inputs and outputs: nn.Linear, nn.LSTM.
    """
    with torch.random.fork_rng(devices=[]):
        layer = kind(32, 32)
    x = torch.zeros(8, 32, 32)  # (T, B, F); torch computes smaller products without oneDNN
    try:
        with torch.enable_grad():
            with torch.autocast("cpu", torch.bfloat16):
                outputs = layer(x)
            (outputs[0] if isinstance(outputs, tuple) else outputs).sum().backward()
    except RuntimeError:
        logger.warning(
            "torch has no %s in bfloat16 for this processor: it computes in float32", kind.__name__
        )
        return False
    return True


class VariationalDropout(nn.Module):
    """Dropout of the same units at every step of a sequence.

    Gal and Ghahramani 2016 (arXiv 1512.05287); "locked dropout" in AWD-LSTM (Merity et al. 2018,
    arXiv 1708.02182).
    """

    def __init__(self, share: float) -> None:
        """Keep the share dropped, from 0 to below 1."""
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, F) -> (T, B, F); unchanged outside training."""
        mask = nn.functional.dropout(torch.ones_like(x[:1]), self.share, self.training)  # (1, B, F)
        return x * mask

    def extra_repr(self) -> str:
        """Say the share when printed."""
        return f"share={self.share}"
