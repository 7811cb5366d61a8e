"""What a run says on the terminal: a line a trained network, results as they come, where to look.

Kedro's own lines, two a node, go to a file of the run below `logs/`.
"""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from kedro.framework.hooks import hook_impl

from unrolled.comparison.leaderboard import NOTE, as_text, cell, notes, verdict
from unrolled.comparison.sentences import sentence, winner_sentence
from unrolled.datasets import Digests, RecordFile
from unrolled.errors import InputError
from unrolled.study.job import Job, Jobs
from unrolled.tracking import job_of, local_file
from unrolled.training.cards import ForecasterCard, LanguageCard

if TYPE_CHECKING:
    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

logger = logging.getLogger(__name__)

# A run of all jobs stays below sixty lines.
WIDTH, ROWS = 80, 5  # characters, rows of a table
FIRST_ROWS, MOST_ROWS = 3, 12  # of a long forecast; a short one is shown whole


class TerminalHooks:
    """Prints what a run found, and keeps what Kedro says in a file."""

    def __init__(self, jobs: Jobs) -> None:
        """Begin with nothing printed."""
        self._jobs = jobs
        self._printed: set[str] = set()
        self._saved: set[str] = set()
        self._log: logging.FileHandler | None = None

    @hook_impl(tryfirst=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Refuse a run whose input is missing, before MLflow hears of it; open the log."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A terminal that lacks a character shows its number, where it would end the run.
            sys.stdout.reconfigure(errors="backslashreplace")
        refuse_missing(pipeline, catalog)
        self._printed, self._saved = set(), set()
        self._close()
        self._log = _log_file(Path(run_params["project_path"]) / "logs", run_params["run_id"])

    @hook_impl
    def after_node_run(self, outputs: dict[str, Any]) -> None:
        """Say in a line what was trained."""
        for value in outputs.values():
            if isinstance(value, ForecasterCard | LanguageCard):
                logger.info(trained(value))

    @hook_impl
    def after_node_saved(self, node: Node, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Print a job's results as soon as all of them are there; `SideBySideRunner` calls this."""
        self._saved |= set(node.outputs)
        made = pipeline.all_outputs()
        for job in self._jobs:
            names = parts(job, job.results)
            due = set(names[:1]) & made and set(names) & made <= self._saved
            if due and job.name not in self._printed:
                self._print(job, catalog)

    @hook_impl(trylast=True)
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Print the results that are not printed yet, the forecast, and where to look further."""
        made = pipeline.all_outputs()
        for job in self._jobs:
            if job.name not in self._printed and made.intersection(parts(job, job.results)[:1]):
                self._print(job, catalog)
        for job in self._jobs:
            for name, what in zip(parts(job, job.shown_last), job.shown_last.values(), strict=True):
                if name in made:
                    _print_whole(name, what, catalog)
        if self._printed:
            print("\nThe graph: make viz. The runs in MLflow: make ui.")
            for job in self._jobs:
                for name, line in job.next_step.items():
                    if f"{job.name}.{name}" in made:
                        print(line.format(name=catalog.load(f"params:{job.name}.name")))
            if self._log is not None:
                print(f"Every node: {shown(Path(self._log.baseFilename))}")
        self._close()

    @hook_impl(trylast=True)
    def on_pipeline_error(self, error: Exception) -> None:
        """Keep the error's origin in the log; the terminal shows its sentence."""
        if self._log is not None:
            record = logger.makeRecord(
                logger.name, logging.ERROR, "", 0, "The run failed", (),
                (type(error), error, error.__traceback__),
            )  # fmt: skip
            self._log.handle(record)
        self._close()

    def _print(self, job: Job, catalog: DataCatalog) -> None:
        self._printed.add(job.name)
        print(results(job, catalog), flush=True)

    def _close(self) -> None:
        if self._log is not None:
            for name in ("", "kedro"):
                logging.getLogger(name).removeHandler(self._log)
            self._log.close()
            self._log = None


def _log_file(folder: Path, run_id: str) -> logging.FileHandler:
    """A file for all that is logged; `kedro` does not propagate, see conf/logging.yml."""
    folder.mkdir(exist_ok=True)
    handler = logging.FileHandler(folder / f"{run_id}.log", delay=True, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    for name in ("", "kedro"):
        logging.getLogger(name).addHandler(handler)
    return handler


def refuse_missing(pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Look for every file that a pipeline reads and does not write.

    Raises:
        InputError: one is not there.
        DatasetError: the same, from a dataset whose own sentence says what to do.
    """
    names = [name for name in pipeline.inputs() if not name.startswith("param")]
    datasets: dict[str, Any] = {name: catalog.get(name) for name in sorted(names)}
    # Our own know best what to do about it.
    for name in sorted(datasets, key=lambda name: not _ours(datasets[name])):
        dataset = datasets[name]
        # Digests are of files that the run itself writes.
        if isinstance(dataset, Digests) or dataset.exists():
            continue
        if _ours(dataset):
            dataset.load()
        path = getattr(dataset, "_filepath", name)
        raise InputError(
            f"file '{path}' does not exist; it is a result of the pipeline {job_of(name)}:"
            f" run kedro run --pipelines={job_of(name)} first"
        )


def _ours(dataset: object) -> bool:
    of_project = type(dataset).__module__.startswith("unrolled.")
    return of_project and not isinstance(
        dataset, RecordFile
    )  # which only a job's name says more of


def trained(card: ForecasterCard | LanguageCard) -> str:
    """What was trained, in a line.

    >>> trained(LanguageCard.model_construct(
    ...     variant="gru", seed=1, passes=5.75, validation_loss=0.25, train_seconds=3.14159))
    'gru seed 1: 5.75 epochs, validation loss 0.2500, 3.1 s'
    """
    loss = cell(None) if card.validation_loss is None else f"{card.validation_loss:.4f}"
    return (
        f"{card.variant} seed {card.seed}: {card.kept}, validation loss {loss},"
        f" {card.train_seconds:.1f} s"
    )


def parts(job: Job, names: Iterable[str]) -> list[str]:
    """Names in the catalog of parts of a job."""
    return [f"{job.name}.{name}" for name in names]


def results(job: Job, catalog: DataCatalog) -> str:
    """The protocol, the head of the table, what it says, and the folder of all else."""
    board, *beside = parts(job, job.results)
    table = catalog.load(board)
    found = {name: catalog.load(name) for name in beside if catalog.exists(name)}
    shortened = head(table)
    shown_columns = shortened.drop(columns=NOTE, errors="ignore")
    lines = ["", found.get(f"{job.name}.protocol", board), as_text(shown_columns, WIDTH)]
    if len(table) > len(shortened):
        lines.append(f"... and {len(table) - len(shortened)} more")
    lines += notes(table)
    if f"{job.name}.champion" in found:
        lines.append(sentence(found[f"{job.name}.champion"]))
    elif "kind" in table:  # networks and baselines side by side
        lines.append(verdict(table))
    if f"{job.name}.winner" in found:
        lines.append(winner_sentence(found[f"{job.name}.winner"]))
    path = local_file(catalog, board)
    if path is not None:
        lines.append(
            f"Report, with plots: {shown(path.parent / 'report.html')} (whole table: {path.name})"
        )
    return "\n".join(lines)


def head(table: pd.DataFrame) -> pd.DataFrame:
    """The first rows of a table, with the best network in the place of the last where it is below.

    >>> import pandas as pd
    >>> board = pd.DataFrame({"variant": list("abcdefg"), "kind": ["baseline"] * 6 + ["recurrent"]})
    >>> head(board)["variant"].tolist()
    ['a', 'b', 'c', 'd', 'g']
    """
    first = table.head(ROWS)
    if "kind" not in table or (first["kind"] != "baseline").any():
        return first
    network = table[table["kind"] != "baseline"].head(1)
    return pd.concat([first.head(ROWS - len(network)), network])


def _print_whole(name: str, what: str, catalog: DataCatalog) -> None:
    frame, path = catalog.load(name), local_file(catalog, name)
    some = frame if len(frame) <= MOST_ROWS else frame.head(FIRST_ROWS)
    print(f"\n{as_text(some, WIDTH)}" + ("" if some is frame else "\n..."))
    if path is not None:
        print(f"{what}: {shown(path)}")


def shown(path: Path) -> str:
    """A path as one would type it from here."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
