"""What was chosen and how it scored, in sentences."""

from __future__ import annotations

import pandas as pd

from unrolled.comparison.champion import BLOCKS
from unrolled.comparison.records import Champion, Winner

# By which a leaderboard is ordered.
METRICS = {"mase": "MASE", "mae": "MAE", "bits_per_char": "bits per character"}


def winner_sentence(winner: Winner) -> str:
    """What the rehearsals chose, and whether the test part confirms it.

    >>> row = Winner(job="forecasting", data_set="air", variant="ridge", kind="baseline", seeds=(),
    ...     score=0.8, metric="mase", confirmed=False, validation_metric="mase", validation_score=0.7,
    ...     best={"variant": "gru", "score": 0.6}, rows={}, digests={})
    >>> winner_sentence(row)
    'The winner is ridge: MASE 0.7 in the rehearsals, the lowest. The test part contradicts it: MASE 0.8, where gru has 0.6.'
    """
    name, label = winner.variant, METRICS[winner.metric]
    if winner.validation_metric is None:
        chosen = f"The winner is {name}, as the series are too short to rehearse."
    else:
        rehearsed = METRICS[winner.validation_metric]
        # Only networks have a loss on the validation part of a text.
        where = (
            "on validation, the lowest network"
            if winner.validation_metric == "bits_per_char"
            else "in the rehearsals, the lowest"
        )
        chosen = f"The winner is {name}: {rehearsed} {winner.validation_score:.4g} {where}."
    if winner.confirmed:
        return (
            f"{chosen} The test part confirms it: {label} {_shown(winner.score)}, the lowest too."
        )
    best = winner.best
    return (
        f"{chosen} The test part contradicts it: {label} {_shown(winner.score)}, where"
        f" {best.variant} has {_shown(best.score)}."
    )


def sentence(champion: Champion) -> str:
    """Whether the champion beats the best baseline, in a sentence that begins with a defeat.

    >>> won = Champion(job="forecasting", data_set="air", variant="gru", seed=1, validation_score=0.5,
    ...     mean_validation_score=0.6, metric="mase", score=0.9, seed_score=0.8, p_value=0.04,
    ...     baseline="ridge", baseline_score=1.0, margin=0.1, beats_baseline=True, digests={})
    >>> sentence(won)
    'The champion gru beats the best baseline: MASE 0.9 against 1 of ridge (Diebold-Mariano p = 0.04).'
    """
    label, name = METRICS[champion.metric], champion.variant
    ours = f"{label} {_shown(champion.score)}"
    if champion.baseline and None in (champion.score, champion.baseline_score):
        theirs = f"{champion.baseline} {_shown(champion.baseline_score)}"
        return (
            f"The champion {name} ({ours}) cannot be compared with the best baseline ({theirs}): a"
            " score is no finite number."
        )
    if champion.baseline is None:
        return f"No baseline was asked for, so nothing says that the champion {name} ({ours}) is worth its cost."
    p_value = champion.p_value
    apart = "whole blocks of text" if champion.metric == "bits_per_char" else "disjoint horizons"
    test = (
        f"no Diebold-Mariano test: fewer than {BLOCKS} {apart} in the test part"
        if p_value is None
        else f"Diebold-Mariano p = {p_value:.2g}"
    )
    theirs = f"{champion.baseline_score:.4g} of {champion.baseline} ({test})"
    if champion.beats_baseline:
        return f"The champion {name} beats the best baseline: {ours} against {theirs}."
    lost = f"The champion {name} does not beat the best baseline: {ours} against {theirs}."
    return f"{lost} {champion.advice}" if champion.advice else lost


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


def _shown(score: float | None) -> str:
    return "none" if score is None else f"{score:.4g}"
