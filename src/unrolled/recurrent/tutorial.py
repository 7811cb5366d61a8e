"""A recurrent network from nothing but torch and our cells: read it from top to bottom.

    python -m unrolled.recurrent.tutorial

Axis letters: B batch, T time, F features, H hidden, V symbols.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from unrolled.recurrent.cells.classic import GRUCell, RNNCell


# 1. Back-propagation through time, by hand. The plain cell is
#
#        h_t = tanh(a_t),    a_t = W x_t + U h_{t-1} + b
#
#    With g_t = dL/dh_t, everything a loss on the last state wants to know follows by the chain rule,
#    one step after the other, backwards in time:
#
#        d_t = g_t ⊙ (1 - h_t²)            through tanh to a_t
#        dW += d_t x_t'    dU += d_t h_{t-1}'    db += d_t
#        g_{t-1} = U' d_t                  to the state before
#
#    The last line is why gradients vanish or explode: T steps multiply T such matrices.
def backward_by_hand(cell: RNNCell, x: Tensor, g: Tensor) -> dict[str, Tensor]:
    """Gradients of W, U and b.

    Args:
        cell: tanh.
        x: (T, B, F).
        g: dL/dh of the last state (B, H).
    """
    states = [torch.zeros_like(g)]
    for step in x:
        states.append(cell(step, (states[-1],))[0].detach())
    found = {name: torch.zeros_like(p) for name, p in cell.named_parameters()}
    for t in reversed(range(len(x))):
        d = g * (1 - states[t + 1] ** 2)  # (B, H)
        found["weight_ih"] += d.T @ x[t]
        found["weight_hh"] += d.T @ states[t]
        found["bias_ih"] += d.sum(0)
        found["bias_hh"] += d.sum(0)  # torch has two biases, which are added: they learn the same
        g = d @ cell.weight_hh.detach()
    return found


def backward_by_autograd(cell: RNNCell, x: Tensor, g: Tensor) -> dict[str, Tensor]:
    """The same by torch, which remembers every operation on the way forwards."""
    _, (h,) = cell.run(x, cell.initial_state(x.shape[1]))
    names, parameters = zip(*cell.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(h, parameters, g), strict=True))


# 2. A series. A window is read, and its last state says what comes next.
class NextValue(nn.Module):
    """A GRU and a linear map of its last state."""

    def __init__(self, hidden: int) -> None:
        """Make both."""
        super().__init__()
        self.cell, self.head = GRUCell(1, hidden), nn.Linear(hidden, 1)

    def forward(self, windows: Tensor) -> Tensor:
        """(T, B, 1) -> (B,)."""
        _, (h,) = self.cell.run(windows, self.cell.initial_state(windows.shape[1]))
        return self.head(h)[:, 0]


def learn_a_sine(steps: int = 150, lookback: int = 20) -> tuple[float, float]:
    """Mean absolute error on rows never trained on, of the network and of the last value."""
    y = torch.sin(torch.arange(400) * 0.2)
    windows = y.unfold(0, lookback + 1, 1).T[:, :, None]  # (T + 1, N, 1), a view: nothing is copied
    train, test = windows[:, :300], windows[:, 300 + lookback :]  # no target of one is in the other
    net = NextValue(hidden=16)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(steps):
        batch = train[:, torch.randint(train.shape[1], (32,))]
        loss = functional.mse_loss(net(batch[:-1]), batch[-1, :, 0])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        truth, last = test[-1, :, 0], test[-2, :, 0]
        return float((net(test[:-1]) - truth).abs().mean()), float((last - truth).abs().mean())


# 3. A text. It is too long to go back through whole, so it is read in chunks (truncated
#    back-propagation through time): the state goes on from chunk to chunk, the gradient does not.
class NextSymbol(nn.Module):
    """A GRU over symbols, and a linear map of every state."""

    def __init__(self, symbols: int, hidden: int) -> None:
        """Make all three layers."""
        super().__init__()
        self.embedding = nn.Embedding(symbols, 16)
        self.cell, self.head = GRUCell(16, hidden), nn.Linear(hidden, symbols)

    def forward(self, ids: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """(T, B), (B, H) -> logits (T, B, V), the state after them."""
        outputs, (h,) = self.cell.run(self.embedding(ids), (h,))
        return self.head(outputs), h


def learn_a_text(text: str, epochs: int = 4, chunk: int = 32) -> tuple[float, float]:
    """Bits per character of the last tenth, of the network and of one that knows how often each comes."""
    symbols = sorted(set(text))
    ids = torch.tensor([symbols.index(character) for character in text])
    cut = len(ids) * 9 // 10
    net = NextSymbol(len(symbols), hidden=64)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(epochs):
        h = torch.zeros(1, 64)
        for at in range(0, cut - 1, chunk):
            x, y = ids[at : min(at + chunk, cut - 1)], ids[at + 1 : min(at + chunk, cut - 1) + 1]
            logits, h = net(x[:, None], h)
            loss = functional.cross_entropy(logits[:, 0], y)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            # Here the past is cut off: the numbers of the state stay, but how they came about is
            # forgotten. Without it the next backward would run through every chunk so far.
            h = h.detach()
    counts = torch.bincount(ids[:cut], minlength=len(symbols)) + 1.0
    with torch.no_grad():
        logits, _ = net(ids[:-1, None], torch.zeros(1, 64))
        ours = functional.cross_entropy(logits[cut - 1 :, 0], ids[cut:])
        unigram = functional.cross_entropy(counts.log().expand(len(ids) - cut, -1), ids[cut:])
    return float(ours) / math.log(2), float(unigram) / math.log(2)


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)  # so small a network loses more by two than it wins
    cell, x, g = RNNCell(2, 3).double(), torch.randn(9, 4, 2).double(), torch.randn(4, 3).double()
    hand, auto = backward_by_hand(cell, x, g), backward_by_autograd(cell, x, g)
    print("by hand and by autograd:", max(float((hand[n] - auto[n]).abs().max()) for n in hand))
    print("sine, error of the network and of the last value:", learn_a_sine())
    bits = learn_a_text(Path(__file__).read_text(encoding="utf-8"))
    print("this very file, bits of the network and of the unigram:", bits)
