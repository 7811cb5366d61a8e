"""The champion of a job: chosen on validation, then measured against the best baseline on test."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

logger = logging.getLogger(__name__)

MEDIAN = "_median"  # what follows the variant's name in that of the ensemble of its seeds
# By which a leaderboard is ordered.
METRICS = {"mase": "MASE", "mae": "MAE", "bits_per_char": "bits per character"}
# Losses that share no target, so many at least: with fewer the test at 5 % finds a difference where
# there is none in 15 % of cases and more, with two hardly ever one that is there (docs/decisions.md).
BLOCKS = 8


def finite(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record for JSON, which has neither infinity nor NaN: None in their place.

    >>> finite({"mae": float("inf"), "mase": 0.9, "variant": "gru"})
    {'mae': None, 'mase': 0.9, 'variant': 'gru'}
    """
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in record.items()
    }


def choose_network(*cards: dict[str, Any]) -> dict[str, Any]:
    """Choose a network by its validation loss alone.

    Args:
        cards: what stands beside the weights of each variant and seed.

    Returns:
        As `_best_network`.
    """
    return _best_network(pd.DataFrame(cards).rename(columns={"validation_loss": "score"}))


def _best_network(scores: pd.DataFrame) -> dict[str, Any]:
    """The variant of the lowest mean over seeds, so that no lucky seed decides, and its best seed.

    Args:
        scores: columns `variant, seed, score`; lower is better, what is no finite number is worst.

    Returns:
        `variant`, `seed`, `validation_score` of this very network and `mean_validation_score` of the
        variant over its seeds; None where they are no finite numbers.
    """
    ranked = scores.assign(rank=scores["score"].astype(float).fillna(math.inf))
    ranked["mean"] = ranked.groupby("variant")["rank"].transform("mean")
    best = ranked.sort_values(["mean", "rank"], kind="stable").iloc[0]
    return finite(
        {
            "variant": str(best["variant"]),
            "seed": int(best["seed"]),
            "validation_score": float(best["rank"]),
            "mean_validation_score": float(best["mean"]),
        }
    )


def choose(*found: dict[str, Any]) -> dict[str, Any]:
    """Choose the winner and the champion by the rehearsals alone: nothing here has seen the test part.

    The winner is the row of the lowest score, of any kind; the champion is the best network. Where no
    series is long enough to rehearse, the winner is seasonal naive (or the first baseline, or the
    champion), and the champion is the network of the lowest validation loss.

    Args:
        found: of every variant and seed, ensemble and baseline what `validate` gives; of every
            variant and seed what stands beside its weights.

    Returns:
        `metric`, by which was chosen: `mase`, `mae`, or None; `rows`, by name: `kind`,
        `validation_score` (mean over seeds) and `seeds`, the best first; `winner`, a name; `champion`,
        as `_best_network`.
    """
    rows = pd.DataFrame([finite(one) for one in found if "validation_mase" in one])
    rows = rows.astype({"validation_mase": float, "validation_mae": float})
    cards = [one for one in found if "validation_loss" in one]
    metric = next((m for m in ("mase", "mae") if rows[f"validation_{m}"].notna().any()), None)
    rows["score"] = rows[f"validation_{metric}"] if metric else math.nan
    networks = rows[rows["kind"] == "recurrent"]
    by_name: dict[str, dict[str, Any]] = {}
    for name, own in rows.groupby("variant", sort=False):
        members = networks[networks["variant"] == str(name).removesuffix(MEDIAN)]
        score = own["score"].mean(skipna=False)
        by_name[str(name)] = {
            "kind": str(own["kind"].iloc[0]),
            "validation_score": None if pd.isna(score) else float(score),
            "seeds": members.sort_values("score", kind="stable")["seed"].astype(int).tolist(),
        }
    champion = _best_network(networks) if metric else choose_network(*cards)
    if metric:
        winner = min(by_name, key=lambda name: _or_inf(by_name[name]["validation_score"]))
    else:
        baselines = [name for name, row in by_name.items() if row["kind"] == "baseline"]
        naive = [name for name in baselines if name == "seasonal_naive"]
        winner = next(iter([*naive, *baselines]), champion["variant"])
        logger.warning(
            "No series is long enough to rehearse before its test part: the winner is %s, as nothing"
            " says that another is better",
            winner,
        )
    return {"metric": metric, "rows": by_name, "winner": winner, "champion": champion}


def choice_of_texts(
    champion: str, leaderboard: pd.DataFrame, cards: Iterable[dict[str, Any]]
) -> dict[str, Any]:
    """The same of language models, of whom validation has chosen the champion for the winner too.

    Args:
        champion: its name.
        leaderboard: of the test part, which names all rows.
        cards: what stands beside the weights of each variant and seed.

    Returns:
        As `measure` takes it, scores in bits per character; of n-gram baselines there is none on
        validation.
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
    return {"metric": "bits_per_char", "rows": rows, "winner": champion}


def _or_inf(score: float | None) -> float:
    return math.inf if score is None else score


def measure(
    choice: dict[str, Any], leaderboard: pd.DataFrame, digests: dict[str, str], fitted: str
) -> dict[str, Any]:
    """Set the winner of the rehearsals beside the leaderboard of the test part.

    Args:
        choice: as `choose` gives it.
        leaderboard: of the test part, best first.
        digests: as for `crown`.
        fitted: as for `crown`.

    Returns:
        What `winner.json` holds: `variant`, `kind`, `seeds`, `metric`, `validation_score`, `score` on
        test, `best` (name and score of the first row on test), `confirmed`, and the same of all `rows`.
    """
    metric = metric_of(leaderboard)
    scores = leaderboard.set_index("variant")[metric]
    rows = {
        name: row | finite({"score": float(scores[name])}) for name, row in choice["rows"].items()
    }
    best = str(leaderboard["variant"].iloc[0])
    files = [fitted] + [
        f"{name}/seed_{seed}.{ending}"
        for name, row in rows.items()
        if row["kind"] == "recurrent"
        for seed in row["seeds"]
        for ending in ("safetensors", "json")
    ]
    return {
        "variant": choice["winner"],
        **rows[choice["winner"]],
        "metric": metric,
        "validation_metric": choice["metric"],
        "best": {"variant": best, "score": rows[best]["score"]},
        "confirmed": best == choice["winner"] and rows[best]["score"] is not None,
        "rows": rows,
        "digests": {file: digests[file] for file in files},
    }


def winner_sentence(winner: dict[str, Any]) -> str:
    """What the rehearsals chose, and whether the test part confirms it.

    >>> row = {"job": "forecasting", "variant": "ridge", "score": 0.8, "metric": "mase", "confirmed": False,
    ...     "validation_metric": "mase", "validation_score": 0.7, "best": {"variant": "gru", "score": 0.6}}
    >>> winner_sentence(row)
    'The winner is ridge: MASE 0.7 in the rehearsals, the lowest. The test part contradicts it: MASE 0.8, where gru has 0.6.'
    """
    name, label = winner["variant"], METRICS[winner["metric"]]
    if winner["validation_metric"] is None:
        chosen = f"The winner is {name}, as the series are too short to rehearse."
    else:
        rehearsed = METRICS[winner["validation_metric"]]
        # Only networks have a loss on the validation part of a text.
        where = (
            "on validation, the lowest network"
            if winner["job"] == "text"
            else "in the rehearsals, the lowest"
        )
        chosen = f"The winner is {name}: {rehearsed} {winner['validation_score']:.4g} {where}."
    if winner["confirmed"]:
        return f"{chosen} The test part confirms it: {label} {_shown(winner['score'])}, the lowest too."
    best = winner["best"]
    return (
        f"{chosen} The test part contradicts it: {label} {_shown(winner['score'])}, where"
        f" {best['variant']} has {_shown(best['score'])}."
    )


def _shown(score: float | None) -> str:
    return "none" if score is None else f"{score:.4g}"


def best_baseline(leaderboard: pd.DataFrame) -> str | None:
    """The first baseline of a leaderboard, which is sorted; None where it has none."""
    baselines = leaderboard.loc[leaderboard["kind"] == "baseline", "variant"]
    return None if baselines.empty else str(baselines.iloc[0])


def metric_of(leaderboard: pd.DataFrame) -> str:
    """The metric that orders a leaderboard: MASE, without it MAE; bits per character."""
    if "bits_per_char" in leaderboard:
        return "bits_per_char"
    return "mase" if leaderboard["mase"].notna().any() else "mae"


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
        choice: as `_best_network` gives it.
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
        of the variant, mean over seeds; `p_value` None where there is nothing to test. A score that is
        no finite number is None, and there is no margin against it or of it.
    """
    metric, baseline = metric_of(leaderboard), best_baseline(leaderboard)
    scores = leaderboard.set_index("variant")[metric]
    variant, seed = choice["variant"], choice["seed"]
    score = float(scores[variant])
    beside: dict[str, Any] = {"baseline_score": None, "margin": None, "p_value": None}
    if baseline is not None:
        against = float(scores[baseline])
        margin = against - score
        beside = {"baseline_score": against, "margin": margin, "p_value": None}
        if math.isfinite(margin):
            beside["p_value"] = diebold_mariano(
                losses[variant].to_numpy(), losses[baseline].to_numpy(), horizon
            )
    found = finite({"score": score, "seed_score": seed_score} | beside)
    return {
        **choice,
        "metric": metric,
        "baseline": baseline,
        **found,
        "beats_baseline": found["margin"] is not None and found["margin"] > 0,
        "digests": {
            "model": digests[f"{variant}/seed_{seed}.safetensors"],
            "options": digests[f"{variant}/seed_{seed}.json"],
            Path(fitted).stem: digests[fitted],
        },
    }


def advice(leaderboard: pd.DataFrame, curve: pd.DataFrame) -> str | None:
    """Say which option to change where no network is better than the unigram, else nothing.

    Args:
        leaderboard: of a text, best first.
        curve: the champion's learning curve, `passes` and `validation_loss` at each evaluation.

    >>> board = pd.DataFrame(
    ...     {"variant": ["unigram", "gru"], "kind": ["baseline", "recurrent"], "bits_per_char": [4.5, 5]}
    ... )
    >>> advice(board, pd.DataFrame({"passes": [2.0, 4.0], "validation_loss": [3.9, 3.6]}))
    'Even the unigram is better, 4.5: raise text.training.epochs (now 4), since the validation loss was lowest at the end.'
    """
    scores = leaderboard.set_index("variant")["bits_per_char"]
    networks = leaderboard.loc[leaderboard["kind"] != "baseline", "bits_per_char"]
    if "unigram" not in scores or scores["unigram"] >= networks.min():
        return None
    best, last = curve.iloc[int(curve["validation_loss"].to_numpy().argmin())], curve.iloc[-1]
    if best["passes"] == last["passes"]:
        change = f"raise text.training.epochs (now {last['passes']:.3g})"
        reason = "at the end"
    else:
        change = "lower text.training.learning_rate or text.model.hidden, or add text"
        reason = f"at epoch {best['passes']:.3g} of {last['passes']:.3g}"
    return (
        f"Even the unigram is better, {_shown(float(scores['unigram']))}: {change}, since the"
        f" validation loss was lowest {reason}."
    )


def diebold_mariano(
    ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64], horizon: int
) -> float | None:
    """P-value of two sequences of losses having the same mean, two-sided.

    Args:
        ours: (N,) losses of one forecaster in order of time.
        theirs: (N,) those of the other.
        horizon: steps ahead; losses less far apart share targets.

    Returns:
        A number from 0 to 1; None where fewer than `BLOCKS` of the losses share no target.

    Source:
        Diebold & Mariano (1995), J. Bus. Econ. Stat. 13:253; the correction for few losses is that
        of Harvey, Leybourne & Newbold (1997), Int. J. Forecasting 13:281.
    """
    if 1 + (len(ours) - 1) // horizon < BLOCKS:
        return None
    if np.ptp(ours - theirs) == 0:  # no variance to divide by, and no doubt
        return float(ours[0] == theirs[0])
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
    ours = f"{label} {_shown(champion['score'])}"
    if champion["baseline"] and None in (champion["score"], champion["baseline_score"]):
        theirs = f"{champion['baseline']} {_shown(champion['baseline_score'])}"
        return (
            f"The champion {name} ({ours}) cannot be compared with the best baseline ({theirs}): a"
            " score is no finite number."
        )
    if champion["baseline"] is None:
        return f"No baseline was asked for, so nothing says that the champion {name} ({ours}) is worth its cost."
    p_value = champion["p_value"]
    apart = "whole blocks of text" if champion["metric"] == "bits_per_char" else "disjoint horizons"
    test = (
        f"no Diebold-Mariano test: fewer than {BLOCKS} {apart} in the test part"
        if p_value is None
        else f"Diebold-Mariano p = {p_value:.2g}"
    )
    theirs = f"{champion['baseline_score']:.4g} of {champion['baseline']} ({test})"
    if champion["beats_baseline"]:
        return f"The champion {name} beats the best baseline: {ours} against {theirs}."
    lost = f"The champion {name} does not beat the best baseline: {ours} against {theirs}."
    return f"{lost} {champion['advice']}" if champion.get("advice") else lost
