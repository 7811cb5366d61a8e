"""Nodes of the pipeline that writes; the work is done in the rooms below."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from unrolled.serving import registry, writing_on
from unrolled.serving.writing_on import Models
from unrolled.text.options import CorpusOptions, WritingOptions
from unrolled.text.vocabulary import Ids, Vocabulary, digests
from unrolled.text.writing import normalised

# torch takes a second to import; only the functions that run a network pay for it.
if TYPE_CHECKING:
    from unrolled.serving.writer import ServedWriter
    from unrolled.training.text import Step

logger = logging.getLogger(__name__)


def generate(
    models: Models,
    known: Vocabulary,
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

    card, load = writing_on.best(models, known, digests(train_ids, validation_ids), corpus)
    logger.info(
        "%s, %s seed %s: %.3f nats a character on validation",
        *(corpus, card.variant, card.seed, card.validation_loss),
    )
    return _written(
        text.stepper(load(), card), known, normalised(prompt, **read.reading), length, writing
    )


def generate_registered(prompt: str, length: int, writing: WritingOptions, corpus: str) -> str:
    """Write on from a prompt with the registered champion; returns as `_written` does.

    Raises:
        InputError: none is registered.
    """
    name, deployed_by = f"text-{corpus}", f"job=text,corpus={corpus}"
    # MLflow's way to its code has no types.
    model: Any = registry.fetch(registry.connect(), name, deployed_by)
    served: ServedWriter = model.unwrap_python_model().served
    logger.info("%s: models:/%s@%s", corpus, name, registry.CHAMPION)
    prompt = normalised(prompt, **served.known.reading)
    step, known = writing_on.stepper(served), writing_on.vocabulary_of(served)
    return _written(step, known, prompt, length, writing)


def _written(
    step: Step, known: Vocabulary, prompt: str, length: int, writing: WritingOptions
) -> str:
    """Write, each character on the terminal as soon as it is chosen.

    Returns:
        The texts, each after its prompt, a line between them.
    """
    texts = []
    for pieces in writing_on.texts(step, known, prompt, length, writing):
        texts.append(prompt)
        print("\n" + prompt, end="", flush=True)
        for piece in pieces:
            print(piece, end="", flush=True)
            texts[-1] += piece
        print()
    return "\n\n".join(texts) + "\n"
