"""Nodes of the pipeline that writes; the work is done in the rooms below."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from unrolled.errors import InputError
from unrolled.pipelines.deploy.nodes import registry_client
from unrolled.serving import registry
from unrolled.text.options import CorpusOptions, WritingOptions
from unrolled.text.vocabulary import Ids, Vocabulary, digests, encode_prompt
from unrolled.text.writing import normalised

# torch takes a second to import; only the functions that run a network pay for it.
if TYPE_CHECKING:
    from torch import Tensor

    from unrolled.recurrent.cells import State
    from unrolled.serving.writer import ServedWriter
    from unrolled.training.text import Step

logger = logging.getLogger(__name__)

Weights = dict[str, Any]
Models = list[tuple[dict[str, Any], Callable[[], Weights]]]


def generate(
    models: Models,
    known: dict[str, Any],
    train_ids: Ids,
    validation_ids: Ids,
    read: CorpusOptions,
    prompt: str,
    length: int,
    writing: WritingOptions,
    corpus: str,
) -> str:
    """Write on from a prompt with the best model on disk; returns as `_written` does."""
    from unrolled.training import text

    own = Vocabulary.model_validate(known)
    card, load = best(models, own, digests(train_ids, validation_ids), corpus)
    logger.info(
        "%s, %s seed %s: %.3f nats a character on validation",
        *(corpus, card["variant"], card["seed"], card["validation_loss"]),
    )
    return _written(
        text.stepper(load(), card), own, normalised(prompt, **read.reading), length, writing
    )


def generate_registered(prompt: str, length: int, writing: WritingOptions, corpus: str) -> str:
    """Write on from a prompt with the registered champion; returns as `_written` does.

    Raises:
        InputError: none is registered.
    """
    name = f"text-{corpus}"
    model: Any = registry.fetch(registry_client(), name)  # MLflow's way to its code has no types
    served: ServedWriter = model.unwrap_python_model().served
    logger.info("%s: models:/%s@%s", corpus, name, registry.CHAMPION)
    known = Vocabulary(
        characters=served.characters,
        counts=(),  # of training; neither they nor `unknown` matter to what is written
        unknown=0,
        boundaries=served.options["stop"] is not None,
    )
    prompt = normalised(prompt, **served.options.get("reading", {}))
    return _written(_stepper(served), known, prompt, length, writing)


def best(
    models: Models, known: Vocabulary, of_text: dict[str, str], corpus: str
) -> tuple[dict[str, Any], Callable[[], Weights]]:
    """The model of the lowest validation loss among those of this very text and vocabulary.

    Raises:
        InputError: there is none.
    """
    own = [
        model
        for model in models
        if (model[0].get("vocabulary"), model[0].get("text")) == (known.fingerprint, of_text)
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
    return min(own, key=lambda model: model[0]["validation_loss"])


def _stepper(served: ServedWriter) -> Step:
    """One step of a registered model, as `training.text.stepper` gives that of a network."""
    import torch

    def step(ids: Tensor, state: State | None) -> tuple[Tensor, State]:
        before = None if state is None else [part.numpy() for part in state]
        logits, after = served.step(ids.numpy(), before)
        return torch.from_numpy(logits), tuple(map(torch.from_numpy, after))

    return step


def _written(
    step: Step, known: Vocabulary, prompt: str, length: int, writing: WritingOptions
) -> str:
    """Write, each character on the terminal as soon as it is chosen.

    Returns:
        The texts, each after its prompt, a line between them.
    """
    texts = []
    for pieces in _texts(step, known, prompt, length, writing):
        texts.append(prompt)
        print("\n" + prompt, end="", flush=True)
        for piece in pieces:
            print(piece, end="", flush=True)
            texts[-1] += piece
        print()
    return "\n\n".join(texts) + "\n"


def _texts(
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
