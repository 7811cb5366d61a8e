"""Nodes of the text pipeline; the work is done in the rooms below."""

from __future__ import annotations

import hashlib
import itertools
import time
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from unrolled.comparison.champion import choice_of_texts, crown, measure
from unrolled.comparison.leaderboard import COST, of_texts
from unrolled.comparison.records import Card, Champion, Chosen, Cost, Winner
from unrolled.comparison.sentences import advice
from unrolled.datasets import as_safetensors
from unrolled.recurrent.options import LanguageOptions
from unrolled.text import corpus, passages, vocabulary
from unrolled.text import losses as losses_of
from unrolled.text.baselines import BASELINES, Documents, Task
from unrolled.text.options import CorpusOptions, SampleOptions
from unrolled.text.vocabulary import Ids, Vocabulary
from unrolled.training.cards import LanguageCard, Origin, Weights
from unrolled.training.options import TextTrainOptions

# torch takes a second to import; only the nodes that train or run a network pay for it.

JOB = "text"


def keep(corpus: CorpusOptions, documents: Documents) -> CorpusOptions:
    """The options of the corpus, for the pipelines that read these results: once it has been read."""
    return corpus


def ingest(raw: bytes, options: CorpusOptions, name: str) -> str:
    """Decode and normalise the user's file."""
    return corpus.decode(raw, options, name)


def split(text: str, options: CorpusOptions, name: str) -> Documents:
    """Cut the text into documents, and those into train, validation and test."""
    documents = corpus.documents(text, options.boundaries)
    return corpus.split(documents, options, name)._asdict()


def build_vocabulary(documents: Documents, options: CorpusOptions) -> Vocabulary:
    """Number the characters of train."""
    boundaries = options.boundaries != "none"
    return vocabulary.build(documents["train"], boundaries, options.min_count, options.max_size)


def encode(documents: Documents, known: Vocabulary) -> tuple[Ids, Ids, Ids, dict[str, Any]]:
    """Turn each part into ids, and say how much of the held-out parts is known."""
    ids = {part: vocabulary.encode(texts, known) for part, texts in documents.items()}
    held_out = {
        part: vocabulary.coverage(documents[part], known) for part in ("validation", "test")
    }
    return ids["train"], ids["validation"], ids["test"], held_out


def train(
    train_ids: Ids,
    validation_ids: Ids,
    known: Vocabulary,
    model: LanguageOptions,
    training: TextTrainOptions,
    variant: str,
    seed: int,
    start: Weights | None = None,
    origin: Origin | None = None,
) -> tuple[Weights, LanguageCard, pd.DataFrame]:
    """Fit one variant with one seed, anew or from where `start` has left off.

    Returns:
        Its weights, its options and cost, its learning curve.
    """
    from unrolled.gradients import health
    from unrolled.training import loop, text

    began = time.perf_counter()
    curves: list[pd.DataFrame] = []
    weights, history, parameters = text.fit_language_model(
        train_ids,
        validation_ids,
        known,
        model,
        training,
        seed,
        f"{variant} seed {seed}",
        health.watch(curves),
        start,
    )
    health.warn(f"{variant} seed {seed}", curves, model)
    best = loop.best(history)
    card = LanguageCard(
        variant=variant,
        model=model,
        training=training,
        seed=seed,
        parameters=parameters,
        passes=history[-1].epoch,
        step=best.step,
        validation_loss=best.validation_loss,
        vocabulary=known.fingerprint,
        text=vocabulary.digests(train_ids, validation_ids),
        sha256=hashlib.sha256(as_safetensors(weights)).hexdigest(),
        origin=origin,
        train_seconds=time.perf_counter() - began,
    )
    curve = pd.DataFrame([asdict(row) for row in history]).rename(columns={"epoch": "passes"})
    # MLflow's steps are whole numbers.
    return weights, card, curve.assign(epoch=curve["step"], variant=variant, seed=seed)


def evaluate(
    weights: Weights, card: LanguageCard, test_ids: Ids, known: Vocabulary
) -> npt.NDArray[np.float32]:
    """Loss of every character of the test part, nats, the state carried; NaN where none is asked."""
    from unrolled.training import text

    return text.evaluate(weights, card, test_ids, known)


def evaluate_baseline(
    train_ids: Ids,
    validation_ids: Ids,
    test_ids: Ids,
    documents: Documents,
    known: Vocabulary,
    options: CorpusOptions,
    variant: str,
) -> tuple[npt.NDArray[np.float64], Cost]:
    """Loss of every character of the test part by a baseline that has read all before it; and its cost."""
    began = time.perf_counter()
    task = Task(train_ids, validation_ids, test_ids, documents, known, options)
    losses = BASELINES[variant](task)
    seconds = time.perf_counter() - began
    return losses, Cost(variant=variant, kind="baseline", parameters=None, train_seconds=seconds)


def score(
    losses: npt.NDArray[np.floating[Any]],
    cost: Cost,
    test_ids: Ids,
    documents: Documents,
    known: Vocabulary,
) -> dict[str, Any]:
    """Metrics of one variant and seed over the whole test part, with its cost."""
    found = losses_of.score(losses, test_ids, documents["test"], known)
    return cost.model_dump(include={"variant", "kind", *COST}) | found


def loss_by_context(
    losses: npt.NDArray[np.floating[Any]],
    cost: Cost,
    test_ids: Ids,
    known: Vocabulary,
) -> pd.DataFrame:
    """Does memory help: mean loss by how many characters of the document were read before."""
    return losses_of.by_context(losses, cost.variant, test_ids, known)


def loss_by_block(
    losses: npt.NDArray[np.floating[Any]],
    cost: Cost,
    test_ids: Ids,
    known: Vocabulary,
) -> pd.DataFrame:
    """Losses summed over blocks of the test part, in its order."""
    seed = cost.seed if isinstance(cost, Card) else None
    return losses_of.by_block(losses, cost.variant, seed, test_ids, known)


def write(
    weights: Weights,
    card: LanguageCard,
    documents: Documents,
    known: Vocabulary,
    samples: SampleOptions,
    options: CorpusOptions,
) -> list[dict[str, Any]]:
    """Write on from every prompt at every temperature, and say how much was copied from train."""
    from unrolled.text.samples import write as written
    from unrolled.training import text

    step = text.stepper(weights, card)
    return written(step, card.variant, documents["train"], known, samples, options)


def describe(
    raw: bytes,
    documents: Documents,
    known: Vocabulary,
    options: CorpusOptions,
    name: str,
    source: str,
) -> dict[str, Any]:
    """Say what the data are: where from, which text, under which licence, with its SHA-256."""
    return {
        "name": name,
        "source": source,
        "licence": options.licence,
        "sha256": hashlib.sha256(raw).hexdigest(),
        "unit": "characters",
        **{part: sum(map(len, texts)) for part, texts in documents.items()},
        "documents": sum(map(len, documents.values())),
        "symbols": known.size,
    }


def look_at_losses(
    losses: npt.NDArray[np.floating[Any]], test_ids: Ids, known: Vocabulary
) -> pd.DataFrame:
    """The passage that the pictures show, and the loss of each of its characters."""
    return passages.with_losses(losses, test_ids, known)


def measure_connectivity(
    weights: Weights, card: LanguageCard, test_ids: Ids, known: Vocabulary
) -> pd.DataFrame:
    """How much each character that was read moves the logit of each that came."""
    from unrolled.training import text_inside

    return text_inside.connected_passage(weights, card, test_ids, known)


def find_units(
    weights: Weights, card: LanguageCard, test_ids: Ids, known: Vocabulary
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Hidden units that follow quotes, brackets, the length of a line or of a clause; and where they do."""
    from unrolled.training import text_inside

    return text_inside.find_units(weights, card, test_ids, known)


def protocol(
    documents: Documents, known: Vocabulary, options: CorpusOptions, name: str, seeds: list[int]
) -> str:
    """Say on what data and how the numbers of this run were measured, in one line."""
    return corpus.protocol(documents, known.size, options, name, seeds)


def combine(*frames: pd.DataFrame) -> pd.DataFrame:
    """The frames of all variants and seeds under one another."""
    return pd.concat(frames, ignore_index=True)


def combine_samples(*samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What all variants wrote."""
    return list(itertools.chain.from_iterable(samples))


def leaderboard(*scores: dict[str, Any]) -> pd.DataFrame:
    """One row a variant or baseline, means over seeds, fewest bits per character first."""
    return of_texts(scores)


def champion(
    choice: Chosen,
    leaderboard: pd.DataFrame,
    loss_by_block: pd.DataFrame,
    learning_curves: pd.DataFrame,
    digests: dict[str, str],
    name: str,
) -> Champion:
    """Set the network that validation chose beside the best baseline, block by block."""
    seed_score = losses_of.score_of(loss_by_block, choice.variant, choice.seed)
    blocks = losses_of.of_whole_blocks(loss_by_block, leaderboard["variant"])
    curve = learning_curves[
        (learning_curves["variant"] == choice.variant) & (learning_curves["seed"] == choice.seed)
    ]
    said = advice(leaderboard, curve)
    return crown(
        choice, leaderboard, seed_score, blocks, 1, digests, "vocabulary.json", JOB, name, said
    )


def winner(
    choice: Chosen,
    leaderboard: pd.DataFrame,
    digests: dict[str, str],
    name: str,
    *cards: LanguageCard,
) -> Winner:
    """Set the language model that validation chose beside all rows of the test part."""
    chosen = choice_of_texts(choice, leaderboard, cards)
    return measure(chosen, leaderboard, digests, "vocabulary.json", JOB, name)
