"""Writing, one character at a time: beside feeding a window again, and beside a plain one-step GRU.

    python benchmarks/generation.py

Untrained networks on 65 symbols, sampled at temperature 1; each way writes from the same prompt of
100 symbols, which is read before the clock starts where the state is carried.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from _table import Row, main, measure
from unrolled.recurrent.language_model import LanguageModel
from unrolled.recurrent.options import LanguageOptions
from unrolled.text.options import SamplingOptions
from unrolled.text.sampling import generate
from unrolled.training.cards import LanguageSpec
from unrolled.training.options import TextTrainOptions
from unrolled.training.text import Step, stepper

SYMBOLS, WINDOW = 65, 100
# Hidden units, prompts, and the bar of the ratio to the window's way.
SIZES = {(512, 1): "ratio >= 60", (128, 64): "ratio >= 50"}


def draw(logits: Tensor) -> Tensor:
    """Sample (B,) from logits (B, V)."""
    return torch.multinomial(logits.softmax(1), 1).squeeze(1)


def by_window(model: LanguageModel, window: Tensor, characters: int) -> Callable[[], None]:
    """Tutorials' way: the last 100 symbols again for each new one, gradients on."""

    def write() -> None:
        read = window
        for _ in range(characters):
            logits, _ = model(read)
            read = torch.cat([read[1:], draw(logits[-1].detach())[None]])

    return write


def by_layer(model: LanguageModel, window: Tensor, characters: int) -> Callable[[], None]:
    """One step of torch's own layers at a time, the state carried."""
    gru = model.layer.blocks[0].rnn
    linear = nn.Linear(gru.hidden_size, SYMBOLS)

    @torch.inference_mode()
    def write() -> None:
        state = torch.zeros(1, window.shape[1], gru.hidden_size)
        ids = window[-1]
        for _ in range(characters):
            outputs, state = gru(model.embedding(ids)[None], state)
            ids = draw(linear(outputs[0]))

    return write


def by_weights(step: Step, window: Tensor, characters: int) -> Callable[[], list[Tensor]]:
    """Ours: the step on the weights, in the sampler that the pipeline uses."""
    options, draws = SamplingOptions(), np.random.default_rng(0)
    prompts = [prompt[-1:].numpy() for prompt in window.T]

    def write() -> list[Tensor]:
        return list(generate(step, None, prompts, characters, options, draws))

    return write


def rows(quick: bool) -> list[Row]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    characters, few, repeats = (200, 5, 3) if quick else (1000, 20, 7)
    found = []
    for (hidden, prompts), bar in SIZES.items():
        options = LanguageOptions(hidden=hidden)
        model = LanguageModel(options, SYMBOLS).eval()
        card = LanguageSpec(model=options, training=TextTrainOptions(threads=1), seed=0)
        step = stepper(model.state_dict(), card)
        window = torch.randint(SYMBOLS, (WINDOW, prompts))
        seconds = measure(
            by_weights(step, window, characters),
            by_window(model, window, few),
            by_layer(model, window, characters),
            repeats=repeats,
        )
        each = (characters, few, characters)
        ours, windows, layer = (n * prompts / s for n, s in zip(each, seconds, strict=True))
        case = f"writing, GRU of {hidden}, {prompts} prompt{'s' if prompts > 1 else ''}, one thread"
        reference = f"a window of {WINDOW} fed again, gradients on"
        found += [
            Row(case, ours, "characters/s", windows, reference, bar=bar),
            Row(case, ours, "characters/s", layer, "one step of nn.GRU, inference mode"),
        ]
    return found


if __name__ == "__main__":
    main(rows)
