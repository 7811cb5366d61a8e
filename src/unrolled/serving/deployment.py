"""A row of the leaderboard goes into service, and says what would have been better."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.comparison.records import ScoredEntry
from unrolled.comparison.sentences import METRICS
from unrolled.serving import packages, registry
from unrolled.serving.packages import Files, opened
from unrolled.tracking import experiment_of, tracking_uri
from unrolled.training.cards import TrainedRow

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger(__name__)


def register(
    client: MlflowClient,
    row: TrainedRow[Any],
    files: Files,
    parity: dict[str, Any],
    request: dict[str, Any],
    job: str,
    name: str,
) -> dict[str, Any]:
    """Register the files as an MLflow model and put it in front.

    Returns:
        `model` (its registered name), `version`, `uri`, `variant`, `kind` and `description`.
    """
    registered = f"{job}-{name}"
    served, description = packages.about(files), describe(row)
    deployed = {"variant": row.variant, "kind": row.kind, "description": description}
    before = registry.in_front(client, registered, served.sha256)
    if before is not None:
        logger.info("%s version %s is this very model already. %s", registered, before, description)
        return _deployed(registered, before) | deployed
    from unrolled.serving import signatures

    tags = {"variant": row.variant, "kind": row.kind}
    run = client.create_run(
        experiment_of(client, f"{job}/{name}", tracking_uri(), Path.cwd()),
        run_name=f"deploy {row.variant}",
        tags={"kind": "deploy", "variant": row.variant},
    ).info.run_id
    try:
        with opened(files) as folder:
            version = registry.register(
                client,
                run,
                registered,
                Path(__file__).with_name(f"{served.kind}_model.py"),
                folder,
                signatures.of(served),
                signatures.example(request["dataframe_records"]),
                tags
                | {
                    "sha256": served.sha256,
                    "parity": f"{parity['largest_relative_difference']:.2g}",
                    **better(row),
                },
                description,
            )
        client.set_terminated(run, "FINISHED")
    except BaseException:
        client.set_terminated(run, "FAILED")
        raise
    logger.info("Registered %s version %s as champion. %s", registered, version, description)
    logger.info("Serve it: make serve MODEL=models:/%s@champion", registered)
    return _deployed(registered, version) | deployed


def roll_back(client: MlflowClient, job: str, name: str) -> dict[str, Any]:
    """Put the version before the champion in front again."""
    registered = f"{job}-{name}"
    now, before = registry.roll_back(client, registered)
    logger.info("%s: version %s is champion again instead of %s", registered, now, before)
    return _deployed(registered, now)


def _deployed(name: str, version: str) -> dict[str, Any]:
    return {"model": name, "version": version, "uri": f"models:/{name}@champion"}


def better(row: TrainedRow[Any]) -> dict[str, str]:
    """Which rows would have been better, on validation and on test: `name score` by tag."""
    rows, found = row.winner.rows, {}
    for tag, key in (("better_on_validation", "validation_score"), ("better_on_test", "score")):
        every = {name: getattr(one, key) for name, one in rows.items()}
        scores = {name: score for name, score in every.items() if score is not None}
        own = scores.get(row.variant)
        lowest = min(scores, key=lambda name: scores[name], default=row.variant)
        if own is not None and scores[lowest] < own:
            found[tag] = f"{lowest} {scores[lowest]:.4g}"
    return found


def describe(row: TrainedRow[Any]) -> str:
    """Say what is deployed, how it scored, and what would have been better."""
    winner, found = row.winner, better(row)
    own = winner.rows[row.variant]
    seeds = own.seeds[:1] if row.kind == "recurrent" else own.seeds
    seed = f", seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}" if seeds else ""
    chosen = "the winner" if row.variant == winner.variant else "named, not the winner"
    parts = [f"{row.variant} ({row.kind}{seed}) on {winner.data_set}, {chosen}."]
    for where, key, metric, tag in (
        ("validation", "validation_score", winner.validation_metric, "better_on_validation"),
        ("test", "score", winner.metric, "better_on_test"),
    ):
        score = getattr(own, key)
        if score is None or metric is None:
            parts.append(f"On {where} it has no score.")
        else:
            lowest = _lowest_of(winner.rows.values(), key)
            beside = f"{found[tag]} would have been better" if tag in found else lowest
            parts.append(f"On {where} {METRICS[metric]} {score:.4g}: {beside}.")
    return " ".join(parts)


def _lowest_of(rows: Iterable[ScoredEntry], key: str) -> str:
    """What the best score of its kind is the lowest of: of a text only networks are validated."""
    baselines = [getattr(row, key) for row in rows if row.kind == "baseline"]
    if baselines and baselines.count(None) == len(baselines):
        return "the lowest of the networks, since baselines have no score there"
    return "the lowest"
