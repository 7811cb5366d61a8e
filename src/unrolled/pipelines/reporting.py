"""What a job tells its readers at its end: a report to look at, and a card for the champion."""

from __future__ import annotations

import base64
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import Any

import jinja2
import pandas as pd
from kedro.pipeline import Node
from pydantic_core import to_jsonable_python

from unrolled.pipelines.champion import METRICS, sentence
from unrolled.pipelines.leaderboard import cell, verdict
from unrolled.pipelines.pictures import Picture

LIBRARIES = ("kedro", "mlflow", "numpy", "pandas", "safetensors", "statsmodels", "torch")


def reporting(pictures: list[str]) -> list[Node]:
    """The nodes that end a job, given the names of its pictures."""
    found = ["leaderboard", "champion", "data", "protocol", "environment", "parameters"]
    return [
        Node(environment, None, "environment", name="environment"),
        Node(report, [*found, *pictures], "report", name="report"),
        Node(card, found, "card", name="card"),
    ]


def environment() -> dict[str, Any]:
    """What made the results: commit of the project (`-dirty`: with changes), versions, the time.

    Returns:
        `commit` (None outside a git repository), `python`, `machine`, `libraries`, `made`.
    """
    from unrolled import __version__

    found = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "commit": found.stdout.strip() or None,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "libraries": {"unrolled": __version__} | {name: version(name) for name in LIBRARIES},
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def report(
    leaderboard: pd.DataFrame,
    champion: dict[str, Any],
    data: dict[str, Any],
    protocol: str,
    environment: dict[str, Any],
    parameters: dict[str, Any],
    *pictures: Picture,
) -> str:
    """One page of HTML that needs nothing beside itself: no network, no other file."""
    images = {
        picture.name.replace("_", " "): base64.b64encode(picture.png).decode()
        for picture in pictures
    }
    return _rendered(
        "report.html.j2",
        leaderboard,
        champion,
        data,
        protocol,
        environment,
        parameters,
        images=images,
    )


def card(
    leaderboard: pd.DataFrame,
    champion: dict[str, Any],
    data: dict[str, Any],
    protocol: str,
    environment: dict[str, Any],
    parameters: dict[str, Any],
) -> str:
    """The champion's model card, in markdown.

    Its headings follow Mitchell et al. (2019), "Model cards for model reporting".
    """
    return _rendered("card.md.j2", leaderboard, champion, data, protocol, environment, parameters)


def _options(job: str, resolved: dict[str, Any]) -> dict[str, Any]:
    """The resolved options of a job: of its data set, and of each variant, by name."""
    data_set = resolved["series" if job == "forecasting" else "corpus"]
    variants = {
        name: {
            f"{group}.{key}": value
            for group in ("model", "training")
            for key, value in entry[group].items()
        }
        for name, entry in resolved.items()
        if isinstance(entry, dict) and "training" in entry
    }
    return {"data_set": data_set, "variants": variants, "seeds": resolved["seeds"]}


def _rendered(
    template: str,
    leaderboard: pd.DataFrame,
    champion: dict[str, Any],
    data: dict[str, Any],
    protocol: str,
    environment: dict[str, Any],
    parameters: dict[str, Any],
    **more: Any,
) -> str:
    job = champion["job"]
    return (
        _templates()
        .get_template(template)
        .render(
            leaderboard=leaderboard,
            champion=champion,
            data=data,
            protocol=protocol,
            environment=environment,
            options=_options(job, to_jsonable_python(parameters[job])),
            **more,
        )
    )


@cache
def _templates() -> jinja2.Environment:
    """The templates beside this file, with what they call."""
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("unrolled.pipelines"),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters |= {"cell": cell, "sentence": sentence, "verdict": verdict}
    found.globals |= {"METRICS": METRICS}
    return found
