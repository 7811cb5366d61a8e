"""The project's command line: Kedro's own `run`, which ends in a sentence where the input is bad.

Three things differ from Kedro's: bad input and damaged files end in a sentence, without a traceback;
`--params` takes lists and mappings, `--params "variants=[gru,lstm],seeds=[0,1]"`, and text as it
stands, `--params "prompt=ROMEO:"`; and where no `--runner` is named, pipelines that train use all cores.
"""

from __future__ import annotations

import copy
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.io import DatasetError
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from unrolled.errors import InputError

_COMMA_OUTSIDE_BRACKETS = re.compile(r",(?![^\[{]*[\]}])")
_QUOTED = r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*"""
_QUOTED_VALUE = re.compile(rf"(?<==){_QUOTED}(?=,|$)")
# What divides pairs is put out of sight inside quotes, as characters that nobody types.
_HIDDEN = dict(zip(map(ord, ",[]{}"), "\ue000\ue001\ue002\ue003\ue004", strict=True))
_SHOWN = {ord(hidden): chr(shown) for shown, hidden in _HIDDEN.items()}
# `\b` keeps click from filling the lines.
EXAMPLES = """\b
Examples:
  {command} run
  {command} run --env quick
  {command} run --pipelines=forecasting --params series=sunspots
  {command} run --pipelines=forecasting \\
      --params "series=my_sales,ds=Month,y=Sales,season=12,horizon=6"
  {command} run --pipelines=forecast --params series=my_sales
  {command} run --pipelines=forecasting \\
      --params "variants=[gru,lstm],seeds=[0],training.epochs=50"
  {command} run --pipelines=text --params corpus=my_notes
  {command} run --pipelines=generate \\
      --params "corpus=my_notes,prompt=To do: ,length=200"
"""
_HELP = {
    "params": "Parameters of this run, key=value pairs between commas, lists in brackets:"
    ' "series=my_sales,ds=Month,y=Sales,season=12,horizon=6". Options of a series (columns,'
    " season, horizon, ...) or of a corpus stand alone; all others as in conf/base/parameters:"
    ' "variants=[gru],training.epochs=50".',
    "runner": "How nodes run. By default pipelines that train use all cores, others run one node"
    " after the other; SequentialRunner does so with all, and gives the same bits.",
}
# What trains networks; all other pipelines are a few quick nodes, one after the other.
_TRAINING = {"__default__", "forecasting", "text", "gradients"}
# Parameters that are text, whatever YAML would make of `ROMEO:` or of `12`.
_TEXTS = ("prompt",)


def _sentence(error: BaseException | None) -> str | None:
    """Find the sentence in a chain of exceptions: ours, or Kedro's on a file that is damaged."""
    damaged = None
    while error is not None:
        if isinstance(error, InputError):  # Kedro wraps what a dataset raises
            return str(error)
        if isinstance(error, DatasetError):
            damaged = " ".join(str(error).split())
        error = error.__cause__ or error.__context__
    return damaged


@contextmanager
def sentences() -> Iterator[None]:
    """Turn an `InputError`, however deep, or a `DatasetError` into what click prints."""
    try:
        yield
    except Exception as error:
        found = _sentence(error)
        if found is None:
            raise
        raise click.ClickException(found) from None


def split_params(text: str) -> dict[str, Any]:
    """Read the value of `--params`: `key=value` pairs between commas, values in YAML.

    A value in quotes may hold commas. `prompt` is text without quotes too.

    >>> split_params("series=airline,variants=[gru,lstm],series_options.mine.columns={ds: Month}")
    {'series': 'airline', 'variants': ['gru', 'lstm'], 'series_options': {'mine': {'columns': {'ds': 'Month'}}}}

    >>> split_params("prompt=ROMEO: ,length=5"), split_params("prompt='to be, or'")
    ({'prompt': 'ROMEO: ', 'length': 5}, {'prompt': 'to be, or'})

    Raises:
        InputError: a part without a key, or a value that is no YAML.
    """
    hidden = _QUOTED_VALUE.sub(lambda found: found[0].translate(_HIDDEN), text)
    pairs = [
        pair.lstrip().translate(_SHOWN)
        for pair in _COMMA_OUTSIDE_BRACKETS.split(hidden)
        if pair.strip()
    ]
    for pair in pairs:
        if not pair.partition("=")[0].strip() or "=" not in pair:
            raise InputError(
                f"--params has {pair!r}; expected key=value, with commas between them and lists in"
                ' brackets: --params "series=sunspots,variants=[gru,lstm]"'
            )
        # OmegaConf would look up the one, and take the default for the other.
        if "${" in pair or pair.partition("=")[2].strip() == "???":
            raise InputError(
                f"--params has {pair!r}; expected a value as it is: ${{...}} and ??? mean something"
                " else to the reader of conf/"
            )
    try:
        found = OmegaConf.from_dotlist([_quoted(pair) for pair in pairs])
        return dict(OmegaConf.to_container(found))  # type: ignore[arg-type]
    except (OmegaConfBaseException, YAMLError) as error:
        raise InputError(
            f"--params {text!r} cannot be read: {' '.join(str(error).split())}; expected values in"
            " YAML, with every bracket closed"
        ) from error


def _quoted(pair: str) -> str:
    """Quote the value of a parameter that is text; any other pair as it is."""
    key, _, value = pair.partition("=")
    if key.strip() not in _TEXTS or re.fullmatch(_QUOTED, value):
        return pair
    return f"{key}={json.dumps(value, ensure_ascii=False)}"


def _option(option: click.Parameter) -> click.Parameter:
    """Kedro's option, `--params` read by `split_params`, with this project's own help."""
    option = copy.copy(option)
    if isinstance(option, click.Option):
        option.help = _HELP.get(str(option.name), option.help)
    if option.name == "params":
        option.callback = lambda _context, _option, value: (
            value if isinstance(value, dict) else split_params(value)
        )
    return option


class _SentenceCommand(click.Command):
    def invoke(self, ctx: click.Context) -> object:
        with sentences():
            return super().invoke(ctx)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with sentences():
            return super().parse_args(ctx, args)


@click.group(name="unrolled")
def cli() -> None:
    """Commands of this project."""


def _run(**options: Any) -> object:
    """Kedro's `run`, by a runner that suits what is run."""
    asked = {*options["pipelines"], *filter(None, [options["pipeline"]])} or {"__default__"}
    # Workers that are forked from a process that has run torch wait for its threads in vain.
    if options["runner"] is None and asked & _TRAINING and "torch" not in sys.modules:
        options["runner"] = "unrolled.runners.SideBySideRunner"
    return kedro_run.callback(**options)  # type: ignore[misc]


run = _SentenceCommand(
    name="run",
    callback=_run,
    params=[_option(option) for option in kedro_run.params],
    help=kedro_run.help,
    epilog=EXAMPLES.format(command="kedro"),
)
cli.add_command(run)
