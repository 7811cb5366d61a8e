"""The names of runs in MLflow, from the namespaces of nodes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from unrolled.comparison.champion import MEDIAN
from unrolled.study.job import Job


def job_of(namespace: str) -> str:
    """The job that a namespace belongs to.

    >>> job_of("forecasting.gru.seed_0")
    'forecasting'
    """
    return namespace.split(".")[0]


def prefixes(namespace: str) -> list[str]:
    """A namespace and all above it, innermost first.

    >>> prefixes("forecasting.gru.seed_0")
    ['forecasting.gru.seed_0', 'forecasting.gru', 'forecasting']
    """
    parts = namespace.split(".")
    return [".".join(parts[:length]) for length in range(len(parts), 0, -1)]


def leaves(namespaces: Iterable[str]) -> list[str]:
    """The namespaces below a job that hold no other: one child run each.

    >>> leaves(["forecasting", "forecasting.gru.seed_0", "forecasting.gru", "forecasting.ridge"])
    ['forecasting.gru.seed_0', 'forecasting.ridge']
    """
    found = sorted(set(namespaces))
    return [
        name
        for name in found
        if "." in name and not any(other.startswith(f"{name}.") for other in found)
    ]


def variant_and_seed(namespace: str) -> tuple[str, str | None]:
    """What a leaf namespace trains.

    >>> variant_and_seed("forecasting.gru.seed_0"), variant_and_seed("forecasting.ridge")
    (('gru', '0'), ('ridge', None))
    """
    parts = namespace.split(".")[1:]
    seed = re.fullmatch(r"seed_(\d+)", parts[-1])
    if seed is None or len(parts) == 1:
        return ".".join(parts), None
    return ".".join(parts[:-1]), seed[1]


def parent_name(job: Job, children: Iterable[str], now: datetime) -> str:
    """A readable name of a parent run: its variants (or baselines) and the local time.

    >>> now = datetime(2026, 11, 24, 17, 5)
    >>> parent_name(Job("f"), ["f.gru.seed_0", "f.gru.seed_1", "f.ridge"], now)
    'gru 2026-11-24 17:05'
    """
    children = list(children)
    if children and job.runs:
        return f"{len(children)} {job.runs} {now:%Y-%m-%d %H:%M}"
    found = [variant_and_seed(child) for child in children]
    recurrent = dict.fromkeys(variant for variant, seed in found if seed is not None)
    names = list(recurrent or dict.fromkeys(variant for variant, _ in found))
    if len(names) > 3:
        names = [f"{len(names)} {'variants' if recurrent else 'baselines'}"]
    return " ".join(filter(None, ["+".join(names), f"{now:%Y-%m-%d %H:%M}"]))


def run_name(namespace: str) -> str:
    """A readable name of a child run.

    >>> run_name("forecasting.bi_gru.seed_0"), run_name("gradients.matrix.gru.copy.length_50")
    ('bi_gru seed 0', 'matrix gru copy length 50')
    """
    return re.sub(
        r"\b(seed|length)_(?=\d+$)", r"\1 ", namespace.replace(".", " ").partition(" ")[2]
    )


def data_set_of(job: Job, parameters: Mapping[str, Any]) -> str | None:
    """The name of the data set that a job works on, where it has one."""
    name = parameters.get(job.data or "")
    return None if name is None else str(name)


def child_tags(job: Job, namespace: str) -> dict[str, str]:
    """Tags that tell a child run from its siblings; `level` is `study`, `row` or `seed`.

    >>> matrix = Job("gradients", tags={"matrix": ("remedy", "task", "length")})
    >>> child_tags(matrix, "gradients.matrix.gru.adding.length_50")
    {'level': 'row', 'kind': 'matrix', 'remedy': 'gru', 'task': 'adding', 'length': '50'}
    """
    kind, *values = namespace.split(".")[1:]
    if kind in job.tags:
        named = {
            key: re.sub(rf"^{key}_(?=\d+$)", "", value)
            for key, value in zip(job.tags[kind], values, strict=True)
        }
        return {"level": "row", "kind": kind} | named
    variant, seed = variant_and_seed(namespace)
    if seed is None:
        kind = "ensemble" if variant.endswith(MEDIAN) else "baseline"
        return {"level": "row", "kind": kind, "variant": variant}
    return {"level": "seed", "kind": "recurrent", "variant": variant, "seed": seed}
