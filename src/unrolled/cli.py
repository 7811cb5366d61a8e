"""The project's command line: Kedro's own `run`, which ends in a sentence where the input is bad.

Three things differ from Kedro's: bad input and damaged files end in a sentence, without a traceback;
`--params` takes lists and mappings, `--params "variants=[gru,lstm],seeds=[0,1]"`, and text as it
stands, `--params "prompt=ROMEO:"`, as does `--set`, one parameter at a time; and where no `--runner` is
named, pipelines that train use all cores.
"""

from __future__ import annotations

import copy
import errno
import inspect
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from kedro.config import MissingConfigException
from kedro.framework.cli.project import run as kedro_run
from kedro.io import DatasetError
from kedro.utils import load_obj
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from unrolled import params
from unrolled.errors import InputError, shown

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
  {command} run --pipelines=generate \\
      --set corpus=my_notes --set "prompt=to be, or x=y"
"""
_HELP = {
    "params": "Parameters of this run, key=value pairs between commas, lists in brackets:"
    ' "series=my_sales,ds=Month,y=Sales,season=12,horizon=6". Options of a series (columns,'
    " season, horizon, ...) or of a corpus stand alone; all others as in conf/base/parameters:"
    ' "variants=[gru],training.epochs=50".',
    "runner": "How nodes run. By default pipelines that train use all cores, others run one node"
    " after the other; SequentialRunner does so with all, and gives the same bits.",
}
# Of a disk, quota or device that takes no more.
_FULL = (errno.ENOSPC, errno.EDQUOT)


def _sentence(error: BaseException | None) -> str | None:
    """Find the sentence in a chain of exceptions: ours, or Kedro's on a file or option."""
    kedros = None
    while error is not None:
        if isinstance(error, InputError):  # Kedro wraps what a dataset raises
            return str(error)
        if isinstance(error, OSError) and error.errno in _FULL:
            _drop_output()
            return f"nothing more can be written: {error.strerror}; make room, or write elsewhere"
        if isinstance(error, DatasetError | MissingConfigException) or _of_an_option(error):
            kedros = " ".join(str(error).split())
        error = error.__cause__ or error.__context__
    return kedros


@contextmanager
def _silent_logging() -> Iterator[None]:
    """Keep logging from printing a traceback for every line that a full output does not take."""
    before, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        yield
    finally:
        logging.raiseExceptions = before


def _drop_output() -> None:
    """Let what is still held back for a full standard output go, or Python tries again as it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _of_an_option(error: BaseException) -> bool:
    """Whether Kedro refuses an unknown pipeline, node, tag, namespace or data set."""
    frames = traceback.extract_tb(error.__traceback__)
    kedros = ("kedro/framework/session/session.py", "kedro/pipeline/pipeline.py")
    return isinstance(error, ValueError) and bool(frames) and frames[-1].filename.endswith(kedros)


@contextmanager
def sentences() -> Iterator[None]:
    """Turn an `InputError`, however deep, a `DatasetError` or an early Ctrl-C into what click prints."""
    try:
        yield
    except KeyboardInterrupt as error:
        frames = traceback.extract_tb(error.__traceback__)
        if any(frame.filename.endswith("kedro/runner/runner.py") for frame in frames):
            raise
        raise click.ClickException("stopped by Ctrl-C before anything was run") from None
    except Exception as error:
        found = _sentence(error)
        if found is None:
            raise
        raise click.ClickException(found) from None


def split_params(text: str) -> dict[str, Any]:
    """Read the value of `--params`: `key=value` pairs between commas.

    >>> split_params("series=airline,variants=[gru,lstm],series_options.mine={lags: [12], columns: {ds: a}}")
    {'series': 'airline', 'variants': ['gru', 'lstm'], 'series_options': {'mine': {'lags': [12], 'columns': {'ds': 'a'}}}}

    >>> split_params("prompt=ROMEO: ,length=5"), split_params("prompt='to be, a=b'")
    ({'prompt': 'ROMEO: ', 'length': 5}, {'prompt': 'to be, a=b'})

    Raises:
        InputError: see `params.split`.
    """
    return params.split(text, _kind_of)


def _kind_of(path: tuple[str, ...]) -> params.Kind:
    from unrolled.pipelines.jobs import JOBS  # here, since pandas comes with them
    from unrolled.study import kind_of

    return kind_of(JOBS, path)


def _option(option: click.Parameter) -> click.Parameter:
    """Kedro's option, `--params` read by `split_params`, with this project's own help."""
    option = copy.copy(option)
    if isinstance(option, click.Option):
        option.help = _HELP.get(str(option.name), option.help)
    if option.name == "runner_params":
        option.callback = _runner_params(option.callback)
    if option.name == "params":
        option.callback = lambda _context, _option, value: (
            value if isinstance(value, dict) else split_params(value)
        )
    return option


def _runner_params(read: Any) -> Any:  # noqa: ANN401
    """Kedro's reader of `--runner-params`, with a sentence for what OmegaConf cannot read."""

    def told(context: click.Context, option: click.Parameter, value: object) -> object:
        try:
            return read(context, option, value)
        except (ValueError, YAMLError, OmegaConfBaseException):
            raise InputError(
                f"--runner-params is {shown(value)}; expected key=value, with commas between them:"
                " max_workers=4"
            ) from None

    return told


_SET = click.Option(
    ["--set", "assigned"],
    multiple=True,
    metavar="KEY=VALUE",
    help="One parameter, may be repeated. All after the first = is its value, so text needs no quotes"
    ' of ours: --set "prompt=to be, or x=y".',
)


class _SentenceCommand(click.Command):
    def invoke(self, ctx: click.Context) -> object:
        with sentences(), _silent_logging():
            return super().invoke(ctx)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with sentences():
            for argument in args:
                params.check_utf8(argument, "an argument")
            if sum(argument.partition("=")[0] == "--params" for argument in args) > 1:
                raise InputError(
                    "--params is given twice, and only the last would count; put all into one, between"
                    " commas, or use --set, as often as you like"
                )
            return super().parse_args(ctx, args)


@click.group(name="unrolled")
def cli() -> None:
    """Commands of this project."""


def _run(assigned: tuple[str, ...], **options: Any) -> object:
    """Kedro's `run`, by a runner that suits what is run."""
    for text in assigned:
        options["params"] = params.joined(options["params"], params.one(text, _kind_of))
    asked = {*options["pipelines"], *filter(None, [options["pipeline"]])} or {"__default__"}
    if options["runner"] is not None:
        _check_runner(options["runner"])
    # Workers that are forked from a process that has run torch wait for its threads in vain.
    if options["runner"] is None and asked & _training() and "torch" not in sys.modules:
        options["runner"] = "unrolled.runners.SideBySideRunner"
    _check_runner_params(options["runner"] or "SequentialRunner", options["runner_params"])
    return kedro_run.callback(**options)  # type: ignore[misc]


def _training() -> set[str]:
    """What trains networks; all other pipelines are a few quick nodes, one after the other."""
    from unrolled.pipelines.jobs import JOBS  # here, as in `_kind_of`

    return {"__default__"} | {job.name for job in JOBS if job.trains}


def _check_runner(name: str) -> None:
    try:
        load_obj(name, "kedro.runner")
    except (AttributeError, ImportError, ValueError):
        raise InputError(
            f"--runner is {name!r}; expected SequentialRunner, ThreadRunner, ParallelRunner, or module"
            " and name of a class such as unrolled.runners.SideBySideRunner"
        ) from None


def _check_runner_params(name: str, given: dict[str, Any]) -> None:
    """Refuse what the class of a runner does not take, which would be told by a traceback."""
    known = inspect.signature(load_obj(name, "kedro.runner")).parameters
    for key, value in given.items():
        if key not in known:
            raise InputError(
                f"--runner-params has {shown(key)}, which {name} does not take; expected"
                f" {', '.join(known)}"
            )
        expected = None
        if key == "max_workers" and not (type(value) is int and value > 0):
            expected = "a whole number from 1"
        elif key == "is_async" and not isinstance(value, bool):
            expected = "true or false"
        if expected:
            raise InputError(f"--runner-params has {key} {shown(value)}; expected {expected}")


run = _SentenceCommand(
    name="run",
    callback=_run,
    params=[*map(_option, kedro_run.params), _SET],
    help=kedro_run.help,
    epilog=EXAMPLES.format(command="kedro"),
)
cli.add_command(run)
