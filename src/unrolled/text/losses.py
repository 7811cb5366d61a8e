"""Losses of a test part: as scores, by how much was read before, by block, a network beside the others."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from unrolled.text import metrics, vocabulary
from unrolled.text.vocabulary import Ids, Vocabulary

# Where the loss is looked at by the characters read before it.
CONTEXTS = (1, 3, 10, 30, 100, 300, 1000)
BLOCK = 500  # characters compared as one: long enough that neighbours say little of each other


def score(
    losses: npt.NDArray[np.floating[Any]], test_ids: Ids, documents: list[str], own: Vocabulary
) -> dict[str, float]:
    """Metrics over the whole test part, whose `documents` stand beside its ids."""
    asked = vocabulary.targets(test_ids, own)
    size = vocabulary.target_bytes(documents, own)
    return metrics.scores(losses[asked].sum(dtype=np.float64), int(asked.sum()), size)


def by_context(
    losses: npt.NDArray[np.floating[Any]],
    variant: str,
    test_ids: Ids,
    own: Vocabulary,
) -> pd.DataFrame:
    """Does memory help: mean loss by how many characters of the document were read before.

    Returns:
        `variant, context` (characters read, at least), `nats_per_char`, `characters`.
    """
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
            rows.append((variant, least, mean, len(own_losses)))
    return pd.DataFrame(rows, columns=["variant", "context", "nats_per_char", "characters"])


def by_block(
    losses: npt.NDArray[np.floating[Any]],
    variant: str,
    seed: int | None,
    test_ids: Ids,
    own: Vocabulary,
) -> pd.DataFrame:
    """Losses summed over blocks of the test part, in its order.

    Returns:
        `variant, seed` (empty for a baseline), `block`, `nats`, `characters`.
    """
    asked = losses[vocabulary.targets(test_ids, own)]
    firsts = np.arange(0, len(asked), BLOCK)
    return pd.DataFrame(
        {
            "variant": variant,
            "seed": pd.array([seed] * len(firsts), dtype="Int64"),
            "block": np.arange(len(firsts)),
            "nats": np.add.reduceat(asked, firsts, dtype=np.float64),
            "characters": np.diff(np.append(firsts, len(asked))),
        }
    )


def score_of(loss_by_block: pd.DataFrame, variant: str, seed: int) -> float:
    """Bits per character of one network, from its blocks."""
    blocks = _in_bits(loss_by_block)
    own = blocks[(blocks["variant"] == variant) & (blocks["seed"] == seed)]
    return float(np.average(own["bits_per_char"], weights=own["characters"]))


def of_whole_blocks(loss_by_block: pd.DataFrame, variants: pd.Series) -> pd.DataFrame:
    """Bits per character of every whole block, one row each; a column each variant, mean over its seeds."""
    blocks = _in_bits(loss_by_block)
    whole = blocks[blocks["characters"] == BLOCK]
    losses = whole.pivot_table(index="block", columns="variant", values="bits_per_char")
    return losses.reindex(columns=variants)  # a short text has no whole block


def _in_bits(loss_by_block: pd.DataFrame) -> pd.DataFrame:
    return loss_by_block.assign(
        bits_per_char=loss_by_block["nats"] / loss_by_block["characters"] / np.log(2)
    )
