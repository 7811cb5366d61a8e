"""What a job tells its readers at its end: a report to look at, and a card for the champion."""

from __future__ import annotations

import base64
import gzip
import io
import platform
import re
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import Any, NamedTuple

import jinja2
import pandas as pd
from kedro.pipeline import Node
from noto_cjk_sans_otc import FONT_PATH
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from unrolled.comparison.leaderboard import cell, verdict
from unrolled.comparison.records import Champion, Winner
from unrolled.comparison.sentences import METRICS, sentence, winner_sentence

WHEN = {False: "untrained", True: "trained"}
LIBRARIES = ("kedro", "mlflow", "numpy", "pandas", "safetensors", "statsmodels", "torch")


def reporting(pictures: list[str], stills: list[str], *more: str) -> list[Node]:
    """The nodes that end a job with a champion.

    Args:
        pictures: names of their PNG files in the catalog; the Plotly files are beside them.
        stills: the same of pictures without a Plotly file.
        more: what else the report shows of this job.
    """
    found = ["leaderboard", "champion", "winner", "data", "protocol", "environment", "parameters"]
    found += ["kept"]
    return [
        *report_of(report, [*found, *more], pictures, stills),
        Node(card, found, "card", name="card"),
    ]


def report_of(
    page: Callable[..., str], facts: list[str], pictures: list[str], stills: Sequence[str] = ()
) -> list[Node]:
    """The nodes that end a job with a page, given what is on it by the names of its arguments."""
    drawn = [name for png in pictures for name in (png, f"{png.removesuffix('.png')}.plotly")]
    inputs = {name: name for name in [*facts, *drawn, *stills]}
    return [
        Node(environment, None, "environment", name="environment"),
        Node(page, inputs, "report", name="report"),
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


class Picture(NamedTuple):
    """A chart as the page holds it."""

    title: str
    protocol: str
    png: str  # base64
    plotly: str | None  # JSON; None of a still


def report(
    leaderboard: pd.DataFrame,
    champion: Champion,
    winner: Winner,
    data: dict[str, Any],
    protocol: str,
    environment: dict[str, Any],
    parameters: dict[str, Any],
    kept: BaseModel,
    samples: list[dict[str, Any]] | None = None,
    coverage: dict[str, Any] | None = None,
    **pictures: Any,
) -> str:
    """One page of HTML that needs nothing beside itself: no network, no other file.

    Args:
        leaderboard: of the test part, best first.
        champion: what `champion.json` holds.
        winner: what `winner.json` holds.
        data: where the data come from.
        protocol: what the run was on.
        environment: what made the results.
        parameters: all of the run, resolved.
        kept: options of the data set.
        samples: what language models wrote.
        coverage: of a vocabulary.
        pictures: each as `{name}.png`, its bytes, and, but for stills, `{name}.plotly`.
    """
    return _page(
        "report.html.j2",
        leaderboard=leaderboard,
        champion=champion,
        data=data,
        protocol=protocol,
        environment=environment,
        options=_options(parameters[champion.job], kept),
        winner=winner,
        samples=None if samples is None else pd.DataFrame(samples),
        coverage=coverage,
        **_drawn(pictures),
    )


def gradients_report(
    summary: pd.DataFrame,
    verdicts: pd.DataFrame,
    effective_memory: pd.DataFrame,
    saturation: pd.DataFrame,
    protocol: str,
    environment: dict[str, Any],
    parameters: dict[str, Any],
    **found: Any,
) -> str:
    """The page of the gradients job, which has remedies and no champion.

    Args:
        summary: one row a remedy.
        verdicts: two sentences for each.
        effective_memory: steps, for each network, untrained and trained, and seed.
        saturation: shares of closed and open gates of each network, untrained and trained.
        protocol: what the run was on.
        environment: what made the results.
        parameters: all of the run, resolved.
        found: scores as `{network or batch}.metrics`; pictures as for `report`.
    """
    options = to_jsonable_python(parameters["gradients"])
    when = effective_memory["trained"].map(WHEN)
    memory = effective_memory.assign(when=when).pivot_table(
        index=["variant", "init"], columns="when", values="memory", aggfunc="median", sort=False
    )
    return _page(
        "gradients.html.j2",
        summary=summary,
        verdicts=verdicts,
        memory=memory.reset_index(),
        saturation=saturation.assign(
            network=saturation["variant"] + " " + saturation["init"],
            when=saturation["trained"].map(WHEN),
        )
        .groupby(["network", "when", "gate"], sort=False)[["closed", "open"]]
        .mean()
        .reset_index(),
        scores=pd.DataFrame(
            {"of": name.removesuffix(".metrics").replace(".", " "), **scores}
            for name, scores in found.items()
            if name.endswith(".metrics")
        ),
        protocol=protocol,
        environment=environment,
        options={group: options[group] for group in ("training", "theory")},
        **_drawn(found),
    )


def card(
    leaderboard: pd.DataFrame,
    champion: Champion,
    winner: Winner,
    data: dict[str, Any],
    protocol: str,
    environment: dict[str, Any],
    parameters: dict[str, Any],
    kept: BaseModel,
) -> str:
    """The champion's model card, in markdown.

    Its headings follow Mitchell et al. (2019), "Model cards for model reporting".
    """
    return _rendered(
        f"{champion.job}/card.md.j2",  # beside the job's record
        leaderboard=leaderboard,
        champion=champion,
        winner=winner,
        data=data,
        protocol=protocol,
        environment=environment,
        options=_options(parameters[champion.job], kept),
    )


def _options(parameters: dict[str, Any], kept: BaseModel) -> dict[str, Any]:
    """The resolved options of a job: of its data set, and of each variant, by name."""
    resolved = to_jsonable_python(parameters)
    variants = {
        name: {
            f"{group}.{key}": value
            for group in ("model", "training")
            for key, value in entry[group].items()
        }
        for name, entry in resolved.items()
        if isinstance(entry, dict) and "training" in entry
    }
    return {
        "data_set": kept.model_dump(mode="json"),
        "variants": variants,
        "seeds": resolved["seeds"],
    }


def _drawn(pictures: dict[str, Any]) -> dict[str, Any]:
    """The pictures of a page, and the one script that draws them, compressed."""
    names = [name.removesuffix(".png") for name in pictures if name.endswith(".png")]
    found = []
    for name in names:
        png = base64.b64encode(pictures[f"{name}.png"]).decode()
        figure = pictures.get(f"{name}.plotly")
        if figure is None:
            found.append(Picture(name.replace(".", " ").replace("_", " "), "", png, None))
            continue
        title, _, said = str(figure.layout.title.text).partition("<br><sub>")
        said = said.removesuffix("</sub>").replace("<br>", " ")
        # Nothing in it may end the element of HTML that holds it.
        found.append(Picture(title, said, png, figure.to_json().replace("<", r"\u003c")))
    return {"pictures": found, "plotly": _plotly()}


@cache
def _plotly() -> str:
    """plotly.js, compressed to a quarter, as base64."""
    from plotly.offline import get_plotlyjs  # here, as in `pictures`

    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()


def _rendered(template: str, **facts: Any) -> str:
    return _templates().get_template(template).render(facts)


def _page(template: str, **facts: Any) -> str:
    """A page, with the part of a font for Chinese, Japanese and Korean that its letters need.

    What a reader's system has nobody knows; the whole font would be twenty megabytes.
    """
    html = _rendered(template, **facts)
    escaped = (chr(int(code, 16)) for code in re.findall(r"\\u([0-9a-f]{4})", html))  # in JSON
    letters = "".join(sorted({letter for letter in (*html, *escaped) if letter >= "\u2e80"}))
    return html.replace("/* font */", _font_face(letters) if letters else "")


def _font_face(letters: str) -> str:
    """A CSS rule that brings the glyphs of these letters."""
    from fontTools import subset  # here, since few pages need it

    options = subset.Options(font_number=0, layout_features=[], hinting=False)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=letters)
    with subset.load_font(FONT_PATH, options, lazy=True) as font:
        subsetter.subset(font)
        font.flavor = "woff"
        font.save(file := io.BytesIO())
    url = f"data:font/woff;base64,{base64.b64encode(file.getvalue()).decode()}"
    return f'@font-face {{ font-family: "page CJK"; src: url("{url}"); }}'


@cache
def _templates() -> jinja2.Environment:
    """The templates beside this file, with what they call."""
    found = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader("unrolled.pipelines", folder) for folder in ("templates", "")]
        ),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters |= {"cell": cell, "sentence": sentence, "verdict": verdict}
    found.filters["winner_sentence"] = winner_sentence
    found.globals |= {"METRICS": METRICS}
    return found
