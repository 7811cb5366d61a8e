"""Attention over the outputs of a recurrent layer; the weights are returned, to be drawn.

Axis letters: B batch, T time (outputs attended to), Q queries, H hidden, N heads. Time-major.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def last_state_attention(
    outputs: Tensor, last: Tensor, lengths: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Mean of all outputs, weighted by how well each agrees with the last state.

    score_t = outputs_t · last;    weights = softmax(score);    context = Σ_t weights_t outputs_t

    The dot product of Luong et al. 2015 (arXiv 1508.04025); it has no parameters. It reads a whole
    sequence, so it is no good where a loss stands on every step: see `Attention(causal=True)`.

    Args:
        outputs: (T, B, H).
        last: (B, H), the state that asks.
        lengths: int64 (B,), real outputs of each sequence, 0 to T; None: all.

    Returns:
        Context (B, H) and weights (T, B), which sum to 1 (to 0 for a sequence of length 0).

    >>> context, weights = last_state_attention(torch.ones(4, 2, 3), torch.ones(2, 3))
    >>> weights[:, 0]
    tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """
    scores = (outputs * last).sum(2)  # (T, B)
    allowed = None
    if lengths is not None:
        allowed = torch.arange(len(outputs), device=outputs.device)[:, None] < lengths
    weights = _softmax(scores, allowed, dim=0)
    return (weights[:, :, None] * outputs).sum(0), weights


class Attention(nn.Module):
    """Scaled dot-product attention with heads (Vaswani et al. 2017, arXiv 1706.03762).

    Per head of H / N units:  context = softmax(Q K' / sqrt(H / N)) V. The parameters are those of
    `nn.MultiheadAttention`, under the same names.
    """

    def __init__(self, hidden: int, heads: int = 1, *, causal: bool = False) -> None:
        """Make the projections.

        Args:
            hidden: H, width of queries, outputs and context.
            heads: N; divides H.
            causal: a query sees no output after its own step. Needed where a loss stands on every
                step.

        Raises:
            ValueError: the heads do not divide the units.
        """
        super().__init__()
        if hidden % heads:
            raise ValueError(
                f"{heads} heads do not divide hidden {hidden}; choose a divisor of it, such as"
                f" {max(n for n in range(1, heads) if hidden % n == 0)}"
            )
        self.heads, self.causal = heads, causal
        self.in_proj_weight = nn.Parameter(torch.empty(3 * hidden, hidden))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * hidden))
        self.out_proj = nn.Linear(hidden, hidden)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(
        self, queries: Tensor, outputs: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Attend from each query to the outputs.

        Args:
            queries: (Q, B, H): all the outputs, or the last ones; `outputs[-1:]` is the last alone.
            outputs: (T, B, H). Causal: the last query belongs to the last output, so Q is at most
                T, and a stream can pass its new steps as queries and all its steps as outputs.
            lengths: int64 (B,), real outputs of each sequence, 0 to T; None: all.

        Returns:
            Context (Q, B, H) and weights (B, N, Q, T), which sum to 1 over T (to 0 where a query
            may see nothing).

        Raises:
            ValueError: causal, and more queries than outputs.
        """
        (asked, batch, hidden), steps = queries.shape, len(outputs)
        if self.causal and asked > steps:
            raise ValueError(
                f"causal attention got {asked} queries for {steps} outputs; expected at most one"
                " an output"
            )
        weight, bias = self.in_proj_weight, self.in_proj_bias
        q = functional.linear(queries, weight[:hidden], bias[:hidden])  # (Q, B, H)
        k, v = functional.linear(outputs, weight[hidden:], bias[hidden:]).chunk(2, dim=2)
        q, k, v = (
            x.reshape(len(x), batch, self.heads, hidden // self.heads).permute(1, 2, 0, 3)
            for x in (q, k, v)
        )  # (B, N, Q or T, H / N)
        scores = q @ k.transpose(2, 3) * (hidden // self.heads) ** -0.5  # (B, N, Q, T)
        weights = _softmax(scores, self._allowed(asked, steps, lengths, scores.device), dim=3)
        context = (weights @ v).permute(2, 0, 1, 3).reshape(asked, batch, hidden)
        return self.out_proj(context), weights

    def _allowed(
        self, asked: int, steps: int, lengths: Tensor | None, device: torch.device
    ) -> Tensor | None:
        """Bool, (B or 1, 1, Q or 1, T): which outputs a query may see; None: all."""
        output = torch.arange(steps, device=device)
        allowed = None
        if self.causal:
            query = torch.arange(steps - asked, steps, device=device)
            allowed = (output <= query[:, None])[None, None]  # (1, 1, Q, T)
        if lengths is not None:
            real = (output < lengths[:, None])[:, None, None]  # (B, 1, 1, T)
            allowed = real if allowed is None else allowed & real
        return allowed


def _softmax(scores: Tensor, allowed: Tensor | None, dim: int) -> Tensor:
    """Softmax over what is allowed; all zeros, and no NaN, where nothing is."""
    if allowed is None:
        return scores.softmax(dim)
    # The smallest number instead of -inf: a row of -inf alone would be NaN, forward and backward.
    scores = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)
    return scores.softmax(dim).masked_fill(~allowed, 0)
