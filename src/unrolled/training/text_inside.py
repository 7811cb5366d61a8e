"""Looking inside a language model while it reads held-out text.

Letters: N symbols of a text, T steps, B documents side by side, H units, V ids.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from unrolled.recurrent.weights import weights as weights_of
from unrolled.text import passages as parts
from unrolled.text import structure, vocabulary
from unrolled.text.passages import CONTEXT, PASSAGE, liveliest
from unrolled.text.vocabulary import Ids, Vocabulary
from unrolled.training.cards import LanguageSpec
from unrolled.training.loop import deterministic
from unrolled.training.text import restored

FloatArray = npt.NDArray[np.float32]
# Symbols in which units are sought, and how many of them.
UNITS_READ, UNITS = 10_000, 3
UNIT_COLUMNS = ["feature", "state", "unit", "correlation_chosen", "correlation"]


def connectivity(
    weights: dict[str, Tensor], card: LanguageSpec, ids: Ids, before: Ids
) -> FloatArray:
    """How much each symbol that was read moves the logit of each symbol that came.

    Args:
        weights: as `fit_language_model` returns them.
        card: the options that stand beside them.
        ids: (N,) passage within one document.
        before: what was read of the document before it, may be empty.

    Returns:
        The Euclidean norm of d logit / d x, (N - 1, N - 1): row i asks for `ids[i + 1]`, column j
        reads `ids[j]`, x being the vector that stands for it; NaN where j > i.

    Source:
        Madsen (2019), Visualizing memorization in RNNs, Distill, 10.23915/distill.00016.
    """
    steps = len(ids) - 1
    symbols, earlier = (torch.from_numpy(part.astype(np.int64)) for part in (ids, before))
    with deterministic(card.seed, card.training.threads):
        net = restored(weights, card)
        state = None
        if len(earlier):
            with torch.no_grad():
                _, state = net.layer(net.embed(earlier[:, None]))
            state = tuple(tensor.expand(-1, steps, -1).contiguous() for tensor in state)
        # The passage once for each symbol that is asked for, so that one pass back gives all rows.
        x = net.embed(symbols[:-1, None]).detach().repeat(1, steps, 1).requires_grad_()  # (T, T, E)
        outputs, _ = net.layer(x, state)
        step = torch.arange(steps)
        logits = net.decode(outputs[step, step])  # (T, V)
        (slope,) = torch.autograd.grad(logits[step, symbols[1:]].sum(), x)
    norms: FloatArray = slope.norm(dim=2).T.numpy()
    return np.where(np.tri(steps, dtype=bool), norms, np.nan).astype(np.float32)


def states(
    weights: dict[str, Tensor], card: LanguageSpec, ids: Ids, vocabulary: Vocabulary
) -> dict[str, FloatArray]:
    """What every unit holds after each symbol.

    Args:
        weights: as `fit_language_model` returns them.
        card: the options that stand beside them.
        ids: (N,) of held-out text; each document is read from a fresh state.
        vocabulary: as in training.

    Returns:
        By layer and state (`layer 1 h`, of the LSTM also `layer 1 c`), (N, H).
    """
    starts = np.flatnonzero(ids == vocabulary.bos) if vocabulary.bos is not None else np.array([0])
    documents = [part for part in np.split(ids, starts) if len(part)]
    lengths = torch.tensor([len(part) for part in documents])
    read = torch.zeros(int(lengths.max()), len(documents), dtype=torch.int64)  # (T, B)
    for number, part in enumerate(documents):
        read[: len(part), number] = torch.from_numpy(part.astype(np.int64))
    real = (torch.arange(len(read))[:, None] < lengths).T  # (B, T)
    with deterministic(card.seed, card.training.threads), torch.no_grad():
        net = restored(weights, card)
        inside = net.layer.look_inside(net.embed(read))
    return {
        f"layer {number} {name}": values[name].transpose(0, 1)[real].numpy()
        for number, (cell, values) in enumerate(zip(weights_of(net), inside, strict=True), 1)
        for name in dict.fromkeys(["h", *cell.cell.described.memories])
        if name in values
    }


def followers(
    found: dict[str, FloatArray], features: dict[str, FloatArray], most: int
) -> list[dict[str, Any]]:
    """Units that follow a feature of the text.

    They are chosen on the first half of the text. The correlation on the second half is what they
    are worth: among many units one always fits by chance.

    Args:
        found: as `states` gives them, each (N, H).
        features: by name, (N,); one that is constant in either half is left out.
        most: units for each feature.

    Returns:
        Rows `feature, state, unit, correlation_chosen, correlation` (Pearson's, in the first and in
        the second half), the best first.
    """
    names = [(state, unit) for state, values in found.items() for unit in range(values.shape[1])]
    units = np.concatenate(list(found.values()), axis=1)
    half = len(units) // 2
    rows = []
    for feature, values in features.items():
        first, second = (
            _correlations(units[part], values[part]) for part in (slice(half), slice(half, None))
        )
        if np.isnan(first).all() or np.isnan(second).all():
            continue
        for place in np.argsort(-np.abs(np.nan_to_num(first)), kind="stable")[:most]:
            state, unit = names[place]
            rows.append(
                {
                    "feature": feature,
                    "state": state,
                    "unit": unit,
                    "correlation_chosen": float(first[place]),
                    "correlation": float(second[place]),
                }
            )
    return rows


def _correlations(units: FloatArray, feature: FloatArray) -> FloatArray:
    """Pearson's correlation of each unit (N, U) with a feature (N,); NaN where either is constant."""
    if len(units) == 0:
        return np.full(units.shape[1], np.nan, np.float32)
    units, feature = units - units.mean(0), feature - feature.mean()
    scale = np.sqrt((units**2).sum(0) * (feature**2).sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(scale > 0, feature @ units / scale, np.nan).astype(np.float32)


def connected_passage(
    weights: dict[str, Tensor], card: LanguageSpec, test_ids: Ids, own: Vocabulary
) -> pd.DataFrame:
    """How much each character that was read moves the logit of each that came.

    Returns:
        `asked, read` (places in the passage that the pictures show), `asked_symbol, read_symbol`
        and `norm`, the Euclidean norm of d logit / d x.
    """
    part = parts.connected(test_ids, own)
    before = test_ids[max(0, part.start - CONTEXT) : part.start]
    norms = connectivity(weights, card, test_ids[part], before)
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
    weights: dict[str, Tensor], card: LanguageSpec, test_ids: Ids, own: Vocabulary
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Hidden units that follow quotes, brackets, the length of a line or of a clause.

    Returns:
        The units, as `followers` gives them; and, for the best of each feature,
        `feature, state, unit, symbol, value` over the passage in which the feature changes most.
    """
    ids = test_ids[:UNITS_READ]
    symbols = np.array(vocabulary.spell(ids, own))
    features = structure.features(symbols.tolist())
    found = states(weights, card, ids, own)
    units = pd.DataFrame(followers(found, features, UNITS), columns=UNIT_COLUMNS)
    passages = []
    for best in units.drop_duplicates("feature").to_dict("records"):
        part = liveliest(features[best["feature"]], PASSAGE // 2)
        passages.append(
            pd.DataFrame(
                {
                    "feature": best["feature"],
                    "state": best["state"],
                    "unit": best["unit"],
                    "symbol": symbols[part],
                    "value": found[best["state"]][part, best["unit"]],
                }
            )
        )
    empty = pd.DataFrame(columns=["feature", "state", "unit", "symbol", "value"])
    return units, pd.concat(passages, ignore_index=True) if passages else empty
