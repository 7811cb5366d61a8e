"""Nodes of the text pipeline; the work is done in the rooms below."""

from __future__ import annotations

import hashlib
import itertools
import logging
import time
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from unrolled.comparison.champion import advice, crown, measure
from unrolled.comparison.leaderboard import ranked
from unrolled.datasets import as_safetensors
from unrolled.errors import InputError
from unrolled.recurrent.options import LanguageOptions
from unrolled.text import compression, corpus, metrics, ngrams, novelty, structure, vocabulary
from unrolled.text.options import CorpusOptions, SampleOptions, SamplingOptions
from unrolled.text.vocabulary import Ids, Vocabulary
from unrolled.text.writing import normalised
from unrolled.training.options import TextTrainOptions

logger = logging.getLogger(__name__)

# torch takes a second to import; only the nodes that train or run a network pay for it.

Documents = dict[str, list[str]]  # of train, validation and test
COST = ["parameters", "train_seconds"]
METRICS = ["bits_per_char", "nats_per_char", "perplexity", "bits_per_byte"]
# Where the loss is looked at by the characters read before it.
CONTEXTS = (1, 3, 10, 30, 100, 300, 1000)
BLOCK = 500  # characters compared as one: long enough that neighbours say little of each other
# Symbols of the test part that are looked at: a passage with its losses; in its beginning what is
# connected, after so many that were read before; what units are sought in, and how many of them.
PASSAGE, CONNECTED, CONTEXT, UNITS_READ, UNITS = 600, 80, 500, 10_000, 3
UNIT_COLUMNS = ["feature", "state", "unit", "correlation_chosen", "correlation"]


def keep(corpus: CorpusOptions, documents: Documents) -> dict[str, Any]:
    """The options of the corpus, for the pipelines that read these results: once it has been read."""
    return corpus.model_dump(mode="json")


def ingest(raw: bytes, options: CorpusOptions, name: str) -> str:
    """Decode and normalise the user's file."""
    return corpus.decode(raw, options, name)


def split(text: str, options: CorpusOptions, name: str) -> Documents:
    """Cut the text into documents, and those into train, validation and test."""
    documents = corpus.documents(text, options.boundaries)
    return corpus.split(documents, options, name)._asdict()


def build_vocabulary(documents: Documents, options: CorpusOptions) -> dict[str, Any]:
    """Number the characters of train."""
    boundaries = options.boundaries != "none"
    return vocabulary.build(
        documents["train"], boundaries, options.min_count, options.max_size
    ).model_dump()


def encode(documents: Documents, known: dict[str, Any]) -> tuple[Ids, Ids, Ids, dict[str, Any]]:
    """Turn each part into ids, and say how much of the held-out parts is known."""
    own = Vocabulary.model_validate(known)
    ids = {part: vocabulary.encode(texts, own) for part, texts in documents.items()}
    held_out = {part: vocabulary.coverage(documents[part], own) for part in ("validation", "test")}
    return ids["train"], ids["validation"], ids["test"], held_out


def start(
    source: dict[str, Any],
    theirs: dict[str, Any],
    their_corpus: dict[str, Any],
    known: dict[str, Any],
    corpus: CorpusOptions,
    init_from: str,
    rows: dict[str, list[str]],
    *models: dict[str, Any],
) -> tuple[dict[str, Any], dict[str, Any]]:
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
        The weights as `carried_over` gives them; `init_from`, `seed` and `sha256` of where they are from.

    Raises:
        InputError: no network, or one that is made otherwise than those of this study.
    """
    from unrolled.training import text

    said = f"parameter 'text.training.init_from' is '{init_from}'"
    if not source["networks"]:
        others = [name for name, row in source["winner"]["rows"].items() if row["seeds"]]
        raise InputError(
            f"{said}, which counts n-grams; expected a language model: {', '.join(others)}"
        )
    (weights, card), digests = source["networks"][0], source["winner"]["digests"]
    before, own = Vocabulary.model_validate(theirs), Vocabulary.model_validate(known)
    if before.boundaries != own.boundaries:
        raise InputError(
            f"{said}, which has read {_documents_of(before)}, but this corpus is"
            f" {_documents_of(own)}; give both the same boundaries"
        )
    made = LanguageOptions.model_validate(card["model"]).made
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
    _say_shared(before, own, init_from)
    _say_read(CorpusOptions.model_validate(their_corpus), corpus, init_from)
    origin = {
        "init_from": init_from,
        "seed": card["seed"],
        "sha256": digests[f"{card['variant']}/seed_{card['seed']}.safetensors"],
    }
    return text.carried_over(weights, before, own), origin


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


def train(
    train_ids: Ids,
    validation_ids: Ids,
    known: dict[str, Any],
    model: LanguageOptions,
    training: TextTrainOptions,
    variant: str,
    seed: int,
    start: dict[str, Any] | None = None,
    origin: dict[str, Any] | None = None,
) -> tuple[dict[str, Any], dict[str, Any], pd.DataFrame]:
    """Fit one variant with one seed, anew or from where `start` has left off.

    Returns:
        Its weights, its options and cost, its learning curve.
    """
    from unrolled.gradients import health
    from unrolled.training import loop, text

    began, own = time.perf_counter(), Vocabulary.model_validate(known)
    curves: list[pd.DataFrame] = []
    weights, history, parameters = text.fit_language_model(
        train_ids,
        validation_ids,
        own,
        model,
        training,
        seed,
        f"{variant} seed {seed}",
        health.watch(curves),
        start,
    )
    health.warn(f"{variant} seed {seed}", curves, model)
    card = {
        "variant": variant,
        "kind": "recurrent",
        "model": model.model_dump(),
        "training": training.model_dump(),
        "seed": seed,
        "parameters": parameters,
        "passes": history[-1].epoch,
        "step": loop.best(history).step,
        "validation_loss": loop.best(history).validation_loss,
        "vocabulary": own.fingerprint,
        "text": vocabulary.digests(train_ids, validation_ids),
        "sha256": hashlib.sha256(as_safetensors(weights)).hexdigest(),
        "origin": origin,
        "train_seconds": time.perf_counter() - began,
    }
    curve = pd.DataFrame([asdict(row) for row in history]).rename(columns={"epoch": "passes"})
    # MLflow's steps are whole numbers.
    return weights, card, curve.assign(epoch=curve["step"], variant=variant, seed=seed)


def evaluate(
    weights: dict[str, Any], card: dict[str, Any], test_ids: Ids, known: dict[str, Any]
) -> npt.NDArray[np.float32]:
    """Loss of every character of the test part, nats, the state carried; NaN where none is asked."""
    from unrolled.training import text

    return text.evaluate(weights, card, test_ids, Vocabulary.model_validate(known))


def evaluate_baseline(
    train_ids: Ids,
    validation_ids: Ids,
    test_ids: Ids,
    documents: Documents,
    known: dict[str, Any],
    options: CorpusOptions,
    variant: str,
) -> tuple[npt.NDArray[np.float64], dict[str, Any]]:
    """Loss of every character of the test part by a baseline that has read all before it.

    xz gives one number for all: its mean stands in the place of each character's loss. It reads the
    documents as the file has them, since it is asked for their ends too.
    """
    began = time.perf_counter()
    own = Vocabulary.model_validate(known)
    if variant == "xz":
        before, held_out = (
            "".join(corpus.join(documents[part], options.boundaries) for part in parts)
            for parts in (("train", "validation"), ("test",))
        )
        asked = vocabulary.targets(test_ids, own)
        losses = np.where(asked, compression.xz_nats(before, held_out) / asked.sum(), np.nan)
    else:
        order, discounts = ngrams.BASELINES[variant]
        seen = np.concatenate([train_ids, validation_ids])
        model = ngrams.fit(seen, own.size, order, discounts, own.bos)
        losses = ngrams.losses(model, test_ids)
    cost = {"parameters": None, "train_seconds": time.perf_counter() - began}
    return losses, {"variant": variant, "kind": "baseline", **cost}


def score(
    losses: npt.NDArray[np.floating[Any]],
    card: dict[str, Any],
    test_ids: Ids,
    documents: Documents,
    known: dict[str, Any],
) -> dict[str, Any]:
    """Metrics of one variant and seed over the whole test part, with its cost."""
    own = Vocabulary.model_validate(known)
    asked = vocabulary.targets(test_ids, own)
    size = vocabulary.target_bytes(documents["test"], own)
    found = metrics.scores(losses[asked].sum(dtype=np.float64), int(asked.sum()), size)
    return {**{key: card[key] for key in ("variant", "kind", *COST)}, **found}


def loss_by_context(
    losses: npt.NDArray[np.floating[Any]],
    card: dict[str, Any],
    test_ids: Ids,
    known: dict[str, Any],
) -> pd.DataFrame:
    """Does memory help: mean loss by how many characters of the document were read before.

    Returns:
        `variant, context` (characters read, at least), `nats_per_char`, `characters`.
    """
    own = Vocabulary.model_validate(known)
    at = np.arange(len(test_ids))
    begins = np.where(test_ids == own.bos, at, 0) if own.bos is not None else np.zeros_like(at)
    read = at - np.maximum.accumulate(begins)
    asked = vocabulary.targets(test_ids, own)
    edges = [*CONTEXTS, len(test_ids) + 1]
    rows = []
    for least, below in itertools.pairwise(edges):
        own_losses = losses[asked & (read >= least) & (read < below)]
        if len(own_losses):
            mean = float(own_losses.mean(dtype=np.float64))
            rows.append((card["variant"], least, mean, len(own_losses)))
    return pd.DataFrame(rows, columns=["variant", "context", "nats_per_char", "characters"])


def loss_by_block(
    losses: npt.NDArray[np.floating[Any]],
    card: dict[str, Any],
    test_ids: Ids,
    known: dict[str, Any],
) -> pd.DataFrame:
    """Losses summed over blocks of the test part, in its order.

    Returns:
        `variant, seed` (empty for a baseline), `block`, `nats`, `characters`.
    """
    asked = losses[vocabulary.targets(test_ids, Vocabulary.model_validate(known))]
    firsts = np.arange(0, len(asked), BLOCK)
    return pd.DataFrame(
        {
            "variant": card["variant"],
            "seed": pd.array([card.get("seed")] * len(firsts), dtype="Int64"),
            "block": np.arange(len(firsts)),
            "nats": np.add.reduceat(asked, firsts, dtype=np.float64),
            "characters": np.diff(np.append(firsts, len(asked))),
        }
    )


def write(
    weights: dict[str, Any],
    card: dict[str, Any],
    documents: Documents,
    known: dict[str, Any],
    samples: SampleOptions,
    options: CorpusOptions,
) -> list[dict[str, Any]]:
    """Write on from every prompt at every temperature, and say how much was copied from train.

    Where the corpus has a form, `form_share` is the share of documents that keep it, among those
    that were written from nothing at the same temperature.
    """
    from unrolled.text import sampling
    from unrolled.training import text

    own, step = Vocabulary.model_validate(known), text.stepper(weights, card)
    training = "\n".join(documents["train"])
    prompts = [normalised(prompt, **options.reading) for prompt in samples.prompts]
    free = [""] * samples.documents if samples.form is not None else []
    rows = []
    for temperature in samples.temperatures:
        written, freely = (
            sampling.write(
                step,
                None,
                beginnings,
                own,
                samples.length,
                SamplingOptions(temperature=temperature),
                np.random.default_rng(samples.seed),
            )
            if beginnings
            else []
            for beginnings in (prompts, free)
        )
        share = None if samples.form is None else novelty.form_share(freely, samples.form)
        for prompt, found in zip(prompts, written, strict=True):
            rows.append(
                {
                    "variant": card["variant"],
                    "temperature": temperature,
                    "prompt": prompt,
                    "text": found,
                    "longest_copied_run": novelty.longest_copied_run(prompt + found, training),
                    "new_10grams": novelty.new_share(prompt + found, training),
                    "form_share": share,
                }
            )
    return rows


def describe(
    raw: bytes,
    documents: Documents,
    known: dict[str, Any],
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
        "symbols": Vocabulary.model_validate(known).size,
    }


def look_at_losses(
    losses: npt.NDArray[np.floating[Any]], test_ids: Ids, known: dict[str, Any]
) -> pd.DataFrame:
    """The passage that the pictures show, and the loss of each of its characters.

    Returns:
        `symbol, loss` (nats; NaN where nothing is asked for).
    """
    own = Vocabulary.model_validate(known)
    first = _passage(test_ids, own).start
    part = slice(first, first + PASSAGE)
    return pd.DataFrame({"symbol": vocabulary.spell(test_ids[part], own), "loss": losses[part]})


def measure_connectivity(
    weights: dict[str, Any], card: dict[str, Any], test_ids: Ids, known: dict[str, Any]
) -> pd.DataFrame:
    """How much each character that was read moves the logit of each that came.

    Returns:
        `asked, read` (places in the passage that the pictures show), `asked_symbol, read_symbol`
        and `norm`, the Euclidean norm of d logit / d x.
    """
    from unrolled.training import text_inside

    own = Vocabulary.model_validate(known)
    part = _passage(test_ids, own)
    before = test_ids[max(0, part.start - CONTEXT) : part.start]
    norms = text_inside.connectivity(weights, card, test_ids[part], before)
    read, asked = np.triu_indices(len(norms))
    symbols = np.array(vocabulary.spell(test_ids[part], own))
    return pd.DataFrame(
        {
            "asked": asked + 1,
            "read": read,
            "asked_symbol": symbols[asked + 1],
            "read_symbol": symbols[read],
            "norm": norms[asked, read],
        }
    )


def find_units(
    weights: dict[str, Any], card: dict[str, Any], test_ids: Ids, known: dict[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Hidden units that follow quotes, brackets, the length of a line or of a clause.

    Returns:
        The units, as `text_inside.followers` gives them; and, for the best of each feature,
        `feature, state, unit, symbol, value` over the passage in which the feature changes most.
    """
    from unrolled.training import text_inside

    own = Vocabulary.model_validate(known)
    ids = test_ids[:UNITS_READ]
    symbols = np.array(vocabulary.spell(ids, own))
    features = structure.features(symbols.tolist())
    states = text_inside.states(weights, card, ids, own)
    units = pd.DataFrame(text_inside.followers(states, features, UNITS), columns=UNIT_COLUMNS)
    passages = []
    for best in units.drop_duplicates("feature").to_dict("records"):
        part = _liveliest(features[best["feature"]], PASSAGE // 2)
        passages.append(
            pd.DataFrame(
                {
                    "feature": best["feature"],
                    "state": best["state"],
                    "unit": best["unit"],
                    "symbol": symbols[part],
                    "value": states[best["state"]][part, best["unit"]],
                }
            )
        )
    empty = pd.DataFrame(columns=["feature", "state", "unit", "symbol", "value"])
    return units, pd.concat(passages, ignore_index=True) if passages else empty


def _passage(test_ids: Ids, known: Vocabulary) -> slice:
    """Where the passage of the pictures lies in the test part: in one document, at a line's start.

    Without boundaries some text is left before it, for the network to have read.
    """
    if known.bos is not None:
        ends = np.flatnonzero(test_ids == known.bos)[1:]
        return slice(0, min(int(ends[0]) if len(ends) else len(test_ids), CONNECTED))
    first = max(0, min(CONTEXT, len(test_ids) - CONNECTED))
    lines = np.flatnonzero(test_ids[:first] == known.first + known.characters.find("\n")) + 1
    first = int(lines[-1]) if len(lines) and "\n" in known.characters else first
    return slice(first, first + CONNECTED)


def _liveliest(feature: npt.NDArray[np.floating[Any]], length: int) -> slice:
    """The stretch of a text in which a feature (N,) varies most; of a count, where it is highest."""
    if len(feature) <= length:
        return slice(0, len(feature))
    view = np.lib.stride_tricks.sliding_window_view(feature, length)
    first = int(view.std(axis=1).argmax())
    return slice(first, first + length)


def protocol(
    documents: Documents, known: dict[str, Any], options: CorpusOptions, name: str, seeds: list[int]
) -> str:
    """Say on what data and how the numbers of this run were measured, in one line."""
    sizes = {part: sum(map(len, texts)) for part, texts in documents.items()}
    parts = ", ".join(f"{part} {size:,}" for part, size in sizes.items())
    by = "in order" if options.boundaries == "none" else "by document"
    tried = f"seeds {', '.join(map(str, seeds))}"
    size = Vocabulary.model_validate(known).size
    return (
        f"{name}: {sum(sizes.values()):,} characters ({parts}, split {by}), {size:,} symbols;"
        f" whole test part, state carried; {tried}"
    )


def combine(*frames: pd.DataFrame) -> pd.DataFrame:
    """The frames of all variants and seeds under one another."""
    return pd.concat(frames, ignore_index=True)


def combine_samples(*samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What all variants wrote."""
    return list(itertools.chain.from_iterable(samples))


def leaderboard(*scores: dict[str, Any]) -> pd.DataFrame:
    """One row a variant or baseline, means over seeds, fewest bits per character first."""
    by = pd.DataFrame(scores).groupby(["variant", "kind"], sort=False)
    board = by[[*COST, *METRICS]].mean(skipna=False)
    board["parameters"] = board["parameters"].astype("Int64")  # of a baseline: none
    board["seeds"] = by.size()
    board["bits_per_char_std"] = by["bits_per_char"].std()
    score, *others = METRICS
    columns = ["variant", score, f"{score}_std", *others, "kind", "seeds", *COST]
    return ranked(board.reset_index()[columns], score)


def champion(
    choice: dict[str, Any],
    leaderboard: pd.DataFrame,
    loss_by_block: pd.DataFrame,
    learning_curves: pd.DataFrame,
    digests: dict[str, str],
    name: str,
) -> dict[str, Any]:
    """Set the network that validation chose beside the best baseline, block by block."""
    blocks = loss_by_block.assign(
        bits_per_char=loss_by_block["nats"] / loss_by_block["characters"] / np.log(2)
    )
    own = blocks[(blocks["variant"] == choice["variant"]) & (blocks["seed"] == choice["seed"])]
    seed_score = float(np.average(own["bits_per_char"], weights=own["characters"]))
    whole = blocks[blocks["characters"] == BLOCK]
    losses = whole.pivot_table(index="block", columns="variant", values="bits_per_char")
    losses = losses.reindex(columns=leaderboard["variant"])  # a short text has no whole block
    found = crown(choice, leaderboard, seed_score, losses, 1, digests, "vocabulary.json")
    curve = learning_curves[
        (learning_curves["variant"] == choice["variant"])
        & (learning_curves["seed"] == choice["seed"])
    ]
    return {"job": "text", "data_set": name, **found, "advice": advice(leaderboard, curve)}


def winner(
    choice: dict[str, Any],
    leaderboard: pd.DataFrame,
    digests: dict[str, str],
    name: str,
    *cards: dict[str, Any],
) -> dict[str, Any]:
    """Set the language model that validation chose beside all rows of the test part.

    Returns:
        As `measure`, scores in bits per character; of n-gram baselines there is none on validation.
    """
    losses = pd.DataFrame(cards).sort_values("validation_loss", kind="stable")
    rows = {}
    for variant, kind in leaderboard[["variant", "kind"]].itertuples(index=False):
        own = losses[losses["variant"] == variant]
        loss = own["validation_loss"].mean() if len(own) else None
        rows[variant] = {
            "kind": kind,
            "validation_score": None if pd.isna(loss) else float(loss / np.log(2)),
            "seeds": own["seed"].astype(int).tolist(),
        }
    chosen = {"metric": "bits_per_char", "rows": rows, "winner": choice["variant"]}
    found = measure(chosen, leaderboard, digests, "vocabulary.json")
    return {"job": "text", "data_set": name, **found}
