"""The champion of a job: chosen on validation, then measured against the best baseline on test."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

logger = logging.getLogger(__name__)

# By which a leaderboard is ordered.
METRICS = {"mase": "MASE", "mae": "MAE", "bits_per_char": "bits per character"}


def choose(*cards: dict[str, Any]) -> dict[str, Any]:
    """Choose a network by its validation loss alone.

    The mean over seeds chooses the variant, so that one lucky seed cannot; then its best seed is
    taken. All losses are on one scale: the study refuses variants with different ones.

    Args:
        cards: what stands beside the weights of each variant and seed.

    Returns:
        `variant`, `seed`, `validation_loss` of this very network and `mean_validation_loss` of the
        variant over its seeds.
    """
    columns = ["variant", "seed", "validation_loss"]
    losses = pd.DataFrame([{key: card[key] for key in columns} for card in cards])
    losses["rank"] = losses["validation_loss"].fillna(math.inf)
    losses["mean"] = losses.groupby("variant")["rank"].transform("mean")
    best = losses.sort_values(["mean", "rank"], kind="stable").iloc[0]
    return {
        "variant": str(best["variant"]),
        "seed": int(best["seed"]),
        "validation_loss": float(best["validation_loss"]),
        "mean_validation_loss": float(best["mean"]),
    }


def best_baseline(leaderboard: pd.DataFrame) -> str | None:
    """The first baseline of a leaderboard, which is sorted; None where it has none."""
    baselines = leaderboard.loc[leaderboard["kind"] == "baseline", "variant"]
    return None if baselines.empty else str(baselines.iloc[0])


def metric_of(leaderboard: pd.DataFrame) -> str:
    """The metric that orders a leaderboard: MASE, without it MAE; bits per character."""
    if "bits_per_char" in leaderboard:
        return "bits_per_char"
    return "mase" if leaderboard["mase"].notna().all() else "mae"


def crown(
    choice: dict[str, Any],
    leaderboard: pd.DataFrame,
    seed_score: float,
    losses: pd.DataFrame,
    horizon: int,
    digests: dict[str, str],
    fitted: str,
) -> dict[str, Any]:
    """Set the chosen network beside the best baseline of the test part.

    Args:
        choice: as `choose` gives it.
        leaderboard: of the test part, best first.
        seed_score: of this very network in the leaderboard's metric.
        losses: one row a cutoff or block of text, in order of time; a column for every variant,
            mean over seeds, in the leaderboard's metric.
        horizon: steps that neighbouring rows may share, at most.
        digests: SHA-256 of every file of models, by its path below their folder, and of `fitted`.
        fitted: name of the file that gives the network's numbers their meaning, `scaler.csv` or
            `vocabulary.json`.

    Returns:
        What `champion.json` holds; `score` and `margin` (positive: better than the baseline) are
        of the variant, mean over seeds; `p_value` None where there is nothing to test.
    """
    metric, baseline = metric_of(leaderboard), best_baseline(leaderboard)
    scores = leaderboard.set_index("variant")[metric]
    variant, seed = choice["variant"], choice["seed"]
    score = float(scores[variant])
    beside: dict[str, Any] = {"baseline_score": None, "margin": None, "p_value": None}
    if baseline is not None:
        against = float(scores[baseline])
        beside = {
            "baseline_score": against,
            "margin": against - score,
            "p_value": diebold_mariano(
                losses[variant].to_numpy(), losses[baseline].to_numpy(), horizon
            ),
        }
    champion = {
        **choice,
        "metric": metric,
        "score": score,
        "seed_score": seed_score,
        "baseline": baseline,
        **beside,
        "beats_baseline": baseline is not None and beside["margin"] > 0,
        "digests": {
            "model": digests[f"{variant}/seed_{seed}.safetensors"],
            "options": digests[f"{variant}/seed_{seed}.json"],
            Path(fitted).stem: digests[fitted],
        },
    }
    if not champion["beats_baseline"]:
        logger.warning(sentence(champion))
    return champion


def diebold_mariano(
    ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64], horizon: int
) -> float | None:
    """P-value of two sequences of losses having the same mean, two-sided.

    Args:
        ours: (N,) losses of one forecaster in order of time.
        theirs: (N,) those of the other.
        horizon: steps ahead; losses as far apart are still correlated.

    Returns:
        A number from 0 to 1; None where N is too small for it or the losses are equal.

    Source:
        Diebold & Mariano (1995), J. Bus. Econ. Stat. 13:253; the correction for few losses is that
        of Harvey, Leybourne & Newbold (1997), Int. J. Forecasting 13:281.
    """
    if len(ours) <= max(horizon, 2) or np.ptp(ours - theirs) == 0:
        return None
    from statsmodels.tsa.stattools import diebold_mariano_test  # here, since it takes a second

    found = diebold_mariano_test(
        np.zeros(len(ours)),
        ours,
        theirs,
        criterion=lambda _, loss: loss,
        horizon=horizon,
        harvey_adj=True,
    )
    return float(found.pvalue)


def sentence(champion: dict[str, Any]) -> str:
    """Whether the champion beats the best baseline, in a sentence that begins with a defeat.

    >>> won = {"variant": "gru", "seed": 1, "metric": "mase", "score": 0.9, "p_value": 0.04,
    ...     "baseline": "ridge", "baseline_score": 1.0, "margin": 0.1, "beats_baseline": True}
    >>> sentence(won)
    'The champion gru beats the best baseline: MASE 0.9 against 1 of ridge (Diebold-Mariano p = 0.04).'
    """
    label, name = METRICS[champion["metric"]], champion["variant"]
    ours = f"{label} {champion['score']:.4g}"
    if champion["baseline"] is None:
        return f"No baseline was asked for, so nothing says that the champion {name} ({ours}) is worth its cost."
    p_value = champion["p_value"]
    test = "no test possible" if p_value is None else f"Diebold-Mariano p = {p_value:.2g}"
    theirs = f"{champion['baseline_score']:.4g} of {champion['baseline']} ({test})"
    if champion["beats_baseline"]:
        return f"The champion {name} beats the best baseline: {ours} against {theirs}."
    return f"The champion {name} does not beat the best baseline: {ours} against {theirs}."
