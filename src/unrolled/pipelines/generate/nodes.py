"""Node of the pipeline that writes; the work is done in the rooms below."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

from unrolled.errors import InputError
from unrolled.text.options import WritingOptions
from unrolled.text.vocabulary import Vocabulary, encode_prompt

# torch takes a second to import; only the functions that run a network pay for it.

logger = logging.getLogger(__name__)

Weights = dict[str, Any]
Models = list[tuple[dict[str, Any], Callable[[], Weights]]]


def generate(
    models: Models,
    known: dict[str, Any],
    prompt: str,
    length: int,
    writing: WritingOptions,
    corpus: str,
) -> str:
    """Write on from a prompt, each character on the terminal as soon as it is chosen.

    Returns:
        The texts, each after its prompt, a line between them.
    """
    own = Vocabulary.model_validate(known)
    card, load = best(models, own, corpus)
    logger.info(
        "%s, %s seed %s: %.3f nats a character on validation",
        *(corpus, card["variant"], card["seed"], card["validation_loss"]),
    )
    texts = []
    for pieces in _texts(load(), card, own, prompt, length, writing):
        texts.append(prompt)
        print("\n" + prompt, end="", flush=True)
        for piece in pieces:
            print(piece, end="", flush=True)
            texts[-1] += piece
        print()
    return "\n\n".join(texts) + "\n"


def best(
    models: Models, known: Vocabulary, corpus: str
) -> tuple[dict[str, Any], Callable[[], Weights]]:
    """The model of the lowest validation loss among those that read ids as this vocabulary does.

    Raises:
        InputError: there is none.
    """
    own = [model for model in models if model[0].get("vocabulary") == known.fingerprint]
    if not own:
        raise InputError(
            f"corpus '{corpus}': its {len(models)} trained models know another vocabulary; run"
            f" kedro run --pipelines=text --params corpus={corpus} again"
        )
    return min(own, key=lambda model: model[0]["validation_loss"])


def _texts(
    weights: Weights,
    card: dict[str, Any],
    known: Vocabulary,
    prompt: str,
    length: int,
    writing: WritingOptions,
) -> Iterator[Iterator[str]]:
    """Each text as the pieces that it is written in."""
    import torch

    from unrolled.recurrent.cells import State
    from unrolled.recurrent.language_model import select
    from unrolled.text import sampling
    from unrolled.training import text

    step = text.stepper(weights, card)
    ids = encode_prompt(prompt, known, writing.strict)  # once for all, so that it warns once
    if writing.beam is not None:
        start: State | None = None
        found = sampling.search(
            step, start, ids, known, length, writing.beam,
            lambda state, rows: state and select(state, rows),
        )  # fmt: skip
        return (iter(text) for text in found[: writing.number])
    generator = torch.Generator().manual_seed(writing.seed)
    return (
        sampling.stream_ids(step, None, ids, known, length, writing, generator)
        for _ in range(writing.number)
    )
