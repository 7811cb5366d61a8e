"""Where a language model begins that goes on from one of another text."""

from __future__ import annotations

import logging
from typing import Any

from unrolled.errors import InputError
from unrolled.recurrent.options import LanguageOptions
from unrolled.text.options import CorpusOptions
from unrolled.text.vocabulary import Vocabulary
from unrolled.training.cards import LanguageCard, Origin, TrainedRow, Weights

logger = logging.getLogger(__name__)


def start(
    source: TrainedRow[LanguageCard],
    theirs: Vocabulary,
    their_corpus: CorpusOptions,
    known: Vocabulary,
    corpus: CorpusOptions,
    init_from: str,
    rows: dict[str, list[str]],
    *models: dict[str, Any],
) -> tuple[Weights, Origin]:
    """Weights that every network of this study goes on from.

    Args:
        source: the row of another study's leaderboard, its vocabulary in `theirs`, the options that its
            corpus was read with in `their_corpus`.
        theirs: see `source`.
        their_corpus: see `source`.
        known: vocabulary of this study.
        corpus: options that the corpus of this study is read with.
        init_from: corpus/variant of `source`.
        rows: variants of this study under `recurrent`; their options are `models`.
        models: see `rows`.

    Returns:
        The weights as `carried_over` gives them; where they are from.

    Raises:
        InputError: no network, or one that is made otherwise than those of this study.
    """
    from unrolled.training import text  # here, since it imports torch

    said = f"parameter 'text.training.init_from' is '{init_from}'"
    if not source.networks:
        others = [name for name, row in source.winner.rows.items() if row.seeds]
        raise InputError(
            f"{said}, which counts n-grams; expected a language model: {', '.join(others)}"
        )
    (weights, card), digests = source.networks[0], source.winner.digests
    if theirs.boundaries != known.boundaries:
        raise InputError(
            f"{said}, which has read {_documents_of(theirs)}, but this corpus is"
            f" {_documents_of(known)}; give both the same boundaries"
        )
    made = card.model.made
    for variant, model in zip(rows["recurrent"], models, strict=True):
        other = LanguageOptions.model_validate(model).made
        differ = [key for key in made if made[key] != other[key]]
        if differ:
            there, here = (
                ", ".join(f"{key} {values[key]}" for key in differ) for values in (made, other)
            )
            raise InputError(
                f"{said}, a network with {there}, but variant '{variant}' has {here}; give it the"
                " same by text.model or in variant_options, or leave init_from out"
            )
    _say_shared(theirs, known, init_from)
    _say_read(their_corpus, corpus, init_from)
    origin = Origin(
        init_from=init_from,
        seed=card.seed,
        sha256=digests[f"{card.variant}/seed_{card.seed}.safetensors"],
    )
    return text.carried_over(weights, theirs, known), origin


def _say_shared(before: Vocabulary, own: Vocabulary, init_from: str) -> None:
    """Say how much of this text a network has read before; as a warning where it is less than half."""
    counts = dict(zip(own.characters, own.counts, strict=True))
    shared = set(counts) & set(before.characters)
    share = sum(counts[c] for c in shared) / (sum(own.counts) + own.unknown)
    logger.log(
        logging.WARNING if share < 0.5 else logging.INFO,
        "%d of %d characters are new to %s; those that it knows are %.1f %% of the train part",
        *(len(counts) - len(shared), len(counts), init_from, 100 * share),
    )


def _say_read(theirs: CorpusOptions, own: CorpusOptions, init_from: str) -> None:
    """Warn where one text was brought into characters otherwise than the other."""
    for key in (*own.reading, "min_count", "max_size"):
        there, here = getattr(theirs, key), getattr(own, key)
        if there != here:
            logger.warning(
                "%s has learnt from a corpus with %s %s, but this one has %s; give both the same,"
                " unless that is meant",
                *(init_from, key, there, here),
            )


def _documents_of(known: Vocabulary) -> str:
    return "documents with ends" if known.boundaries else "one text without ends"
