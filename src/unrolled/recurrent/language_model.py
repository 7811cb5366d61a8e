"""A recurrent language model: from the symbols so far to the next one, at every step.

Axis letters: B batch, T time, H hidden, E embedding, V vocabulary. Time-major `(T, B)`.

>>> model = LanguageModel(LanguageOptions(hidden=5, embedding=3), vocabulary_size=7)
>>> ids = torch.tensor([[1, 2], [3, 4], [5, 6]])  # (T, B)
>>> logits, state = model(ids)
>>> logits.shape
torch.Size([3, 2, 7])
>>> first, state = model.step(ids[0])  # one symbol at a time gives the same
>>> second, state = model.step(ids[1], state)
>>> torch.allclose(second, logits[1], atol=1e-6)
True
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from unrolled.recurrent.cells import State
from unrolled.recurrent.layer import Recurrent, VariationalDropout
from unrolled.recurrent.options import LanguageOptions

BY_SYMBOL = ("embedding.weight", "output", "bias")  # tensors with a row for each symbol


class LanguageModel(nn.Module):
    """Embedding, recurrent layer, output layer.

    The dropouts are those of AWD-LSTM (Merity et al. 2018, arXiv 1708.02182): whole symbols of the
    embedding (Gal and Ghahramani 2016, arXiv 1512.05287), the same units of the output at every
    step, and single recurrent weights (DropConnect, Wan et al. 2013). Tied weights: Press and Wolf
    2017 (arXiv 1608.05859).
    """

    def __init__(self, options: LanguageOptions, vocabulary_size: int) -> None:
        """Build the layers.

        Args:
            options: what the network is made of.
            vocabulary_size: V.
        """
        super().__init__()
        self.options = options
        width = options.embedding
        self.embedding = nn.Embedding(vocabulary_size, width)
        # Vectors of size 1 a unit are learnt from fastest; tied, the matrix must be small to write,
        # and is scaled where it reads (Vaswani et al. 2017, arXiv 1706.03762, section 3.4).
        self.scale = width**0.5 if options.tied else 1.0
        nn.init.normal_(self.embedding.weight, std=1 / self.scale)
        self.layer = Recurrent(options, width)
        self.dropout = VariationalDropout(options.output_dropout)
        self.between = (
            nn.Linear(options.outputs, width)
            if options.tied and options.outputs != width
            else nn.Identity()
        )
        # Not a layer that shares its matrix: the same tensor under two names cannot be saved.
        self.output = None
        if not options.tied:
            self.output = nn.Parameter(torch.empty(vocabulary_size, options.outputs))
            nn.init.normal_(self.output, std=options.outputs**-0.5)
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))

    def forward(
        self, ids: Tensor, state: State | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Read a sequence, or the next chunk of one.

        Args:
            ids: int64 (T, B), T at least 1.
            state: what the last call returned; None before the first symbol.
            lengths: int64 (B,), real symbols of each sequence, 0 to T; None: all are real.

        Returns:
            Logits (T, B, V) of the symbol after each, and the state after the last real one.
        """
        outputs, state = self._recur(self.embed(ids), state, lengths)  # (T, B, H)
        return self.decode(self.dropout(outputs)), state

    def step(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Read one symbol of each text (B,): logits (B, V) of the next, and the state after."""
        logits, state = self(ids[None], state)
        return logits[0], state

    def decode(self, outputs: Tensor) -> Tensor:
        """Logits (..., V) from the layer's outputs (..., H)."""
        weight = self.embedding.weight if self.output is None else self.output
        return functional.linear(self.between(outputs), weight, self.bias)

    def embed(self, ids: Tensor) -> Tensor:
        """What the layer reads (..., E) for symbols (...)."""
        weight = self.embedding.weight * self.scale if self.options.tied else self.embedding.weight
        share = self.options.embedding_dropout
        if self.training and share:
            weight = weight * functional.dropout(torch.ones_like(weight[:, :1]), share)
        return functional.embedding(ids, weight)

    def _recur(
        self, x: Tensor, state: State | None, lengths: Tensor | None
    ) -> tuple[Tensor, State]:
        share = self.options.weight_drop
        if not (self.training and share):
            return cast("tuple[Tensor, State]", self.layer(x, state, lengths))
        dropped = {
            name: functional.dropout(weight, share)
            for name, weight in self.layer.named_parameters()
            if "weight_hh" in name
        }
        return cast(
            "tuple[Tensor, State]", functional_call(self.layer, dropped, (x, state, lengths))
        )


def select(state: State, rows: Tensor) -> State:
    """The state of the texts of these rows, int64 (B,)."""
    return tuple(tensor[:, rows] for tensor in state)
