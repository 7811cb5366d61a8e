"""The champion of a job: chosen on validation, then measured against the best baseline on test."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from unrolled.comparison.records import (
    Best,
    Card,
    Champion,
    Choice,
    Chosen,
    Entry,
    Rehearsal,
    ScoredEntry,
    Winner,
)

logger = logging.getLogger(__name__)

MEDIAN = "_median"  # what follows the variant's name in that of the ensemble of its seeds
# Losses that share no target, so many at least: with fewer the test at 5 % finds a difference where
# there is none in 15 % of cases and more, with two hardly ever one that is there (docs/decisions.md).
BLOCKS = 8


def choose_network(*cards: Card) -> Chosen:
    """Choose a network by its validation loss alone.

    Args:
        cards: what stands beside the weights of each variant and seed.
    """
    return _best_network(_losses(cards).rename(columns={"validation_loss": "score"}))


def _losses(cards: Iterable[Card]) -> pd.DataFrame:
    losses = [(card.variant, card.seed, card.validation_loss) for card in cards]
    return pd.DataFrame(losses, columns=["variant", "seed", "validation_loss"])


def _best_network(scores: pd.DataFrame) -> Chosen:
    """The variant of the lowest mean over seeds, so that no lucky seed decides, and its best seed.

    Args:
        scores: columns `variant, seed, score`; lower is better, what is no finite number is worst.
    """
    ranked = scores.assign(rank=scores["score"].astype(float).fillna(math.inf))
    ranked["mean"] = ranked.groupby("variant")["rank"].transform("mean")
    best = ranked.sort_values(["mean", "rank"], kind="stable").iloc[0]
    return Chosen(
        variant=str(best["variant"]),
        seed=int(best["seed"]),
        validation_score=float(best["rank"]),
        mean_validation_score=float(best["mean"]),
    )


def choose(rehearsals: Iterable[Rehearsal], cards: Iterable[Card]) -> Choice:
    """Choose the winner and the champion by the rehearsals alone: nothing here has seen the test part.

    The winner is the row of the lowest score, of any kind; the champion is the best network. Where no
    series is long enough to rehearse, the winner is seasonal naive (or the first baseline, or the
    champion), and the champion is the network of the lowest validation loss.

    Args:
        rehearsals: of every variant and seed, ensemble and baseline.
        cards: what stands beside the weights of every variant and seed.

    Returns:
        The choice, by MASE, or MAE where no series has a scale; its rows the best first.
    """
    rows = pd.DataFrame([one.model_dump() for one in rehearsals])
    rows = rows.astype({"validation_mase": float, "validation_mae": float})
    metric = next((m for m in ("mase", "mae") if rows[f"validation_{m}"].notna().any()), None)
    rows["score"] = rows[f"validation_{metric}"] if metric else math.nan
    networks = rows[rows["kind"] == "recurrent"]
    by_name: dict[str, Entry] = {}
    for name, own in rows.groupby("variant", sort=False):
        members = networks[networks["variant"] == str(name).removesuffix(MEDIAN)]
        score = own["score"].mean(skipna=False)
        by_name[str(name)] = Entry(
            kind=own["kind"].iloc[0],
            validation_score=float(score),
            seeds=tuple(members.sort_values("score", kind="stable")["seed"].astype(int)),
        )
    champion = _best_network(networks) if metric else choose_network(*cards)
    if metric:
        winner = min(by_name, key=lambda name: _or_inf(by_name[name].validation_score))
    else:
        baselines = [name for name, row in by_name.items() if row.kind == "baseline"]
        naive = [name for name in baselines if name == "seasonal_naive"]
        winner = next(iter([*naive, *baselines]), champion.variant)
        logger.warning(
            "No series is long enough to rehearse before its test part: the winner is %s, as nothing"
            " says that another is better",
            winner,
        )
    return Choice(metric=metric, rows=by_name, winner=winner, champion=champion)


def choice_of_texts(champion: Chosen, leaderboard: pd.DataFrame, cards: Iterable[Card]) -> Choice:
    """The same of language models, of whom validation has chosen the champion for the winner too.

    Args:
        champion: the network that validation chose.
        leaderboard: of the test part, which names all rows.
        cards: what stands beside the weights of each variant and seed.

    Returns:
        The choice, scores in bits per character; of n-gram baselines there is none on validation.
    """
    losses = _losses(cards).sort_values("validation_loss", kind="stable")
    rows = {}
    for variant, kind in leaderboard[["variant", "kind"]].itertuples(index=False):
        own = losses[losses["variant"] == variant]
        loss = own["validation_loss"].mean() if len(own) else None
        score = None if loss is None else float(loss / np.log(2))
        rows[variant] = Entry(
            kind=kind, validation_score=score, seeds=tuple(own["seed"].astype(int))
        )
    return Choice(metric="bits_per_char", rows=rows, winner=champion.variant, champion=champion)


def _or_inf(score: float | None) -> float:
    return math.inf if score is None else score


def measure(
    choice: Choice,
    leaderboard: pd.DataFrame,
    digests: dict[str, str],
    fitted: str,
    job: str,
    data_set: str,
) -> Winner:
    """Set the winner of the rehearsals beside the leaderboard of the test part.

    Args:
        choice: as `choose` gives it.
        leaderboard: of the test part, best first.
        digests: as for `crown`.
        fitted: as for `crown`.
        job: that compared the rows.
        data_set: on which.
    """
    metric = metric_of(leaderboard)
    scores = leaderboard.set_index("variant")[metric]
    rows = {
        name: ScoredEntry(**row.model_dump(), score=float(scores[name]))
        for name, row in choice.rows.items()
    }
    best = str(leaderboard["variant"].iloc[0])
    files = [fitted] + [
        f"{name}/seed_{seed}.{ending}"
        for name, row in rows.items()
        if row.kind == "recurrent"
        for seed in row.seeds
        for ending in ("safetensors", "json")
    ]
    return Winner(
        job=job,
        data_set=data_set,
        variant=choice.winner,
        **rows[choice.winner].model_dump(),
        metric=metric,
        validation_metric=choice.metric,
        best=Best(variant=best, score=rows[best].score),
        confirmed=best == choice.winner and rows[best].score is not None,
        rows=rows,
        digests={file: digests[file] for file in files},
    )


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
    chosen: Chosen,
    leaderboard: pd.DataFrame,
    seed_score: float,
    losses: pd.DataFrame,
    horizon: int,
    digests: dict[str, str],
    fitted: str,
    job: str,
    data_set: str,
    advice: str | None = None,
) -> Champion:
    """Set the chosen network beside the best baseline of the test part.

    Args:
        chosen: the network.
        leaderboard: of the test part, best first.
        seed_score: of this very network in the leaderboard's metric.
        losses: one row a cutoff or block of text, in order of time; a column for every variant,
            mean over seeds, in the leaderboard's metric.
        horizon: steps that neighbouring rows may share, at most.
        digests: SHA-256 of every file of models, by its path below their folder, and of `fitted`.
        fitted: name of the file that gives the network's numbers their meaning, `scaler.csv` or
            `vocabulary.json`.
        job: that compared the networks.
        data_set: on which.
        advice: which option to change where it lost badly.

    Returns:
        The champion. Where a score is no finite number, there is no margin against it or of it.
    """
    metric, baseline = metric_of(leaderboard), best_baseline(leaderboard)
    scores = leaderboard.set_index("variant")[metric]
    variant, seed = chosen.variant, chosen.seed
    score = float(scores[variant])
    against = None if baseline is None else float(scores[baseline])
    margin = None if against is None else against - score
    p_value = None
    if margin is None or not math.isfinite(margin):
        margin = None
    else:
        p_value = diebold_mariano(losses[variant].to_numpy(), losses[baseline].to_numpy(), horizon)
    return Champion(
        **chosen.model_dump(),
        job=job,
        data_set=data_set,
        metric=metric,
        baseline=baseline,
        score=score,
        seed_score=seed_score,
        baseline_score=against,
        margin=margin,
        p_value=p_value,
        beats_baseline=margin is not None and margin > 0,
        digests={
            "model": digests[f"{variant}/seed_{seed}.safetensors"],
            "options": digests[f"{variant}/seed_{seed}.json"],
            Path(fitted).stem: digests[fitted],
        },
        advice=advice,
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
