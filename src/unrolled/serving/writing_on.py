"""Writing on from a prompt: which model writes, and the pieces in which it does."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from unrolled.errors import InputError
from unrolled.text.options import WritingOptions
from unrolled.text.vocabulary import Vocabulary, encode_prompt
from unrolled.training.cards import LanguageCard, Weights

# torch takes a second to import; only the functions that run a network pay for it.
if TYPE_CHECKING:
    from torch import Tensor

    from unrolled.recurrent.cells import State
    from unrolled.serving.writer import ServedWriter
    from unrolled.training.text import Step

logger = logging.getLogger(__name__)

Models = list[tuple[LanguageCard, Callable[[], Weights]]]


def best(
    models: Models, known: Vocabulary, of_text: dict[str, str], corpus: str
) -> tuple[LanguageCard, Callable[[], Weights]]:
    """The model of the lowest validation loss among those of this very text and vocabulary.

    Raises:
        InputError: there is none.
    """
    own = [
        model
        for model in models
        if (model[0].vocabulary, model[0].text) == (known.fingerprint, of_text)
    ]
    others = len(models) - len(own)
    if not own:
        raise InputError(
            f"corpus '{corpus}': its trained models, {others}, are of another text than the one that"
            f" was read last; run kedro run --pipelines=text --params corpus={corpus} again"
        )
    if others:
        logger.warning(
            "%s: trained models of another text than the one that was read last are left out: %d",
            corpus, others,
        )  # fmt: skip
    return min(
        own,
        key=lambda model: (
            math.inf if model[0].validation_loss is None else model[0].validation_loss
        ),
    )


def stepper(served: ServedWriter) -> Step:
    """One step of a registered model, as `training.text.stepper` gives that of a network."""
    import torch

    def step(ids: Tensor, state: State | None) -> tuple[Tensor, State]:
        before = None if state is None else [part.numpy() for part in state]
        logits, after = served.step(ids.numpy(), before)
        return torch.from_numpy(logits), tuple(map(torch.from_numpy, after))

    return step


def vocabulary_of(served: ServedWriter) -> Vocabulary:
    """What a registered model knows of its characters."""
    return Vocabulary(
        characters=served.characters,
        counts=(),  # of training; neither they nor `unknown` matter to what is written
        unknown=0,
        boundaries=served.known.stop is not None,
    )


def texts(
    step: Step, known: Vocabulary, prompt: str, length: int, writing: WritingOptions
) -> Iterator[Iterator[str]]:
    """Each text as the pieces that it is written in."""
    from unrolled.recurrent.language_model import select
    from unrolled.text import sampling

    ids = encode_prompt(prompt, known, writing.strict)  # once for all, so that it warns once
    if writing.beam is not None:
        start: State | None = None
        found = sampling.search(
            step, start, ids, known, length, writing.beam,
            lambda state, rows: state and select(state, rows),
        )  # fmt: skip
        return (iter(text) for text in found[: writing.number])
    draws = np.random.default_rng(writing.seed)
    return (
        sampling.stream_ids(step, None, ids, known, length, writing, draws)
        for _ in range(writing.number)
    )
