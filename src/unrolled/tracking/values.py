"""What nodes take and give, as the params, metrics and tags of MLflow."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import NamedTuple, TypeGuard

import pandas as pd

from unrolled.comparison.records import Champion, Winner

PARAM_LENGTH = 6000  # MLflow's limit


class Curve(NamedTuple):
    """One value of a metric at a step."""

    key: str
    value: float
    step: int


def _plain(value: object) -> object:
    """A pydantic model as a dict; anything else as it is."""
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def flat_params(name: str, value: object, namespace: str) -> dict[str, str]:
    """Params of MLflow from one `params:` input, named below the run's namespace.

    >>> flat_params("params:f.gru.model", {"hidden": 8, "cell": {"bias": True}}, "f.gru.seed_0")
    {'model.hidden': '8', 'model.cell.bias': 'True'}
    >>> flat_params("params:f.gru.seed_0.seed", 0, "f.gru.seed_0")
    {'seed': '0'}
    """
    parts, above = name.removeprefix("params:").split("."), namespace.split(".")
    while len(parts) > 1 and above and parts[0] == above[0]:
        parts, above = parts[1:], above[1:]
    return dict(_flattened(".".join(parts), value))


def _flattened(key: str, value: object) -> Iterator[tuple[str, str]]:
    value = _plain(value)
    if isinstance(value, Mapping):
        for inner, content in value.items():
            yield from _flattened(f"{key}.{inner}", content)
    elif isinstance(value, (list, tuple)):
        yield key, json.dumps([_plain(item) for item in value], default=str)[:PARAM_LENGTH]
    else:
        yield key, str(value)[:PARAM_LENGTH]


def _is_number(value: object) -> TypeGuard[Real]:
    # numpy's numbers are Real too; MLflow keeps no NaN on a curve.
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def metrics_of(values: object) -> list[Curve]:
    """The finite numbers of a dict of metrics; all else is skipped.

    >>> metrics_of({"mae": 1.5, "rmse": float("nan"), "mase": None, "note": "x"})
    [Curve(key='mae', value=1.5, step=0)]
    """
    values = _plain(values)
    if not isinstance(values, Mapping):
        return []
    return [Curve(str(key), float(value), 0) for key, value in values.items() if _is_number(value)]


def scores_of(record: Champion | Winner) -> tuple[list[Curve], dict[str, str]]:
    """Metrics and tags of a study from the record of its champion or winner.

    >>> metrics, tags = scores_of(Champion.model_construct(
    ...     variant="gru", metric="mase", score=0.9, baseline_score=1.0, margin=0.1))
    >>> [(curve.key, curve.value) for curve in metrics], tags
    ([('mase', 0.9), ('mase_best_baseline', 1.0), ('margin', 0.1)], {'champion': 'gru'})
    >>> scores_of(Winner.model_construct(variant="ridge", metric="mase", score=1.0))
    ([Curve(key='mase_winner', value=1.0, step=0)], {'winner': 'ridge'})
    """
    metric = record.metric
    if isinstance(record, Winner):
        return metrics_of({f"{metric}_winner": record.score}), {"winner": record.variant}
    values = {
        metric: record.score,
        f"{metric}_best_baseline": record.baseline_score,
        "margin": record.margin,
    }
    return metrics_of(values), {"champion": record.variant}


def history_of(frame: object) -> list[Curve]:
    """Learning curves: each numeric column of a table, at its column `epoch`.

    >>> history_of(pd.DataFrame({"epoch": [1, 2], "loss": [0.5, None]}))
    [Curve(key='loss', value=0.5, step=1)]
    """
    if not isinstance(frame, pd.DataFrame) or "epoch" not in frame:
        return []
    return [
        Curve(str(column), float(value), int(epoch))
        for column in frame.select_dtypes("number").columns.drop(["epoch", "seed"], errors="ignore")
        for epoch, value in zip(frame["epoch"], frame[column], strict=True)
        if _is_number(value)
    ]
