"""What happens around a `kedro run`: tracking in MLflow, and the leaderboard on the screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from kedro.config import MissingConfigException
from kedro.framework.hooks import hook_impl

from unrolled.errors import InputError
from unrolled.tracking import (
    Curve,
    choose_uri,
    client_of,
    close_runs,
    flat_params,
    history_of,
    local_file,
    log_as,
    log_node,
    metrics_of,
    namespaces_of,
    never_fatal,
    open_runs,
    ran_tag,
    run_of,
    tracking_uri,
    upload_files,
)

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node


class TrackingHooks:
    """Tracks a `kedro run` in MLflow, under any runner."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Settle where to track, before any worker starts."""
        try:
            config = context.config_loader["mlflow"]
        except (KeyError, MissingConfigException):
            config = {}
        choose_uri(config, Path(context.project_path))

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Make the runs; a server that cannot be reached stops the run here, before any work."""
        namespaces = namespaces_of(pipeline)
        uri = tracking_uri()
        if not uri or not namespaces:
            return
        try:
            open_runs(uri, run_params, namespaces, catalog.load("parameters"))
        except Exception as error:  # of a request, a database or a file
            raise InputError(
                f"MLflow at '{uri}' cannot be used: {' '.join(str(error).split())[:300]}; start the"
                " server, mend MLFLOW_TRACKING_URI, or set enabled: false in conf/base/mlflow.yml"
            ) from error

    @hook_impl
    def after_node_run(
        self,
        node: Node,
        catalog: DataCatalog,
        inputs: dict[str, Any],
        outputs: dict[str, Any],
        run_id: str,
    ) -> None:
        """Log the options that a node took and the numbers that it gave."""
        uri = tracking_uri()
        if not uri or not node.namespace:
            return
        with never_fatal(f"node {node.name}"):
            found = run_of(uri, run_id, node.namespace)
            if found is None:
                return
            run, namespace = found
            params: dict[str, str] = {}
            for name, value in inputs.items():
                if name.startswith("params:"):
                    params |= flat_params(name, value, namespace)
            curves: list[Curve] = []
            for name, value in outputs.items():
                kind = log_as(catalog, name)
                if kind == "metrics":
                    curves += metrics_of(value)
                elif kind == "history":
                    curves += history_of(value)
            log_node(client_of(uri), run, params, curves, {ran_tag(node, namespace): "ran"})

    @hook_impl
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Upload the files and close the runs."""
        self._end(run_params, pipeline, catalog, None)

    @hook_impl
    def on_pipeline_error(
        self,
        error: Exception,
        run_params: dict[str, Any],
        pipeline: Pipeline,
        catalog: DataCatalog,
    ) -> None:
        """Upload what was written and close the runs, with the error's sentence."""
        self._end(run_params, pipeline, catalog, error)

    @staticmethod
    def _end(
        run_params: dict[str, Any],
        pipeline: Pipeline,
        catalog: DataCatalog,
        error: Exception | None,
    ) -> None:
        uri = tracking_uri()
        if not uri:
            return
        with never_fatal("the files of the run"):
            upload_files(uri, run_params["run_id"], pipeline, catalog)
        with never_fatal("the end of the run"):
            close_runs(uri, run_params, pipeline, error)


class LeaderboardHooks:
    """Prints the leaderboards of a run at its end."""

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Print every dataset named `{job}.leaderboard`, and where to look further."""
        names = sorted(name for name in pipeline.all_outputs() if name.endswith(".leaderboard"))
        for name in names:
            board, path = catalog.load(name), local_file(catalog, name)
            protocol = name.replace("leaderboard", "protocol")
            title = catalog.load(protocol) if protocol in pipeline.all_outputs() else name
            print(f"\n{title}\n\n{as_text(board)}\n\n{verdict(board)}")
            if path is not None:
                print(f"Report, with plots: {shown(path.parent)}")
        if names:
            print("The graph: make viz. The runs in MLflow: make ui.")


def as_text(board: pd.DataFrame) -> str:
    """A leaderboard as aligned text: words left, numbers right, four digits each, `-` for none.

    >>> print(as_text(pd.DataFrame({"variant": ["gru", "ridge"], "mase": [0.51234, float("nan")]})))
    variant    mase
    gru      0.5123
    ridge         -
    """
    columns = []
    for name in board:
        numbers = pd.api.types.is_numeric_dtype(board[name])
        cells = [str(name), *map(_cell, board[name])]
        width = max(map(len, cells))
        columns.append([cell.rjust(width) if numbers else cell.ljust(width) for cell in cells])
    return "\n".join("  ".join(row).rstrip() for row in zip(*columns, strict=True))


def _cell(value: object) -> str:
    if pd.isna(value):  # type: ignore[call-overload]
        return "-"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


def verdict(board: pd.DataFrame) -> str:
    """Whether the best recurrent network beats the best baseline, in a sentence.

    The board is sorted by the metric whose spread over seeds it holds as `{metric}_std`; a lead
    smaller than that spread is none.

    >>> row = {"variant": "gru", "kind": "recurrent", "mase": 0.95, "mase_std": 0.1}
    >>> verdict(pd.DataFrame([row, {"variant": "ridge", "kind": "baseline", "mase": 1.0}]))
    'A draw: gru 0.95 and the baseline ridge 1 differ by less than the spread over seeds, 0.1.'
    """
    metric = next(str(name) for name in board if str(name).endswith("_std")).removesuffix("_std")
    best = {row["kind"]: row for row in reversed(board.to_dict("records"))}
    if "baseline" not in best:
        return f"Best: {best['recurrent']['variant']}. No baseline was asked for."
    network, baseline = best["recurrent"], best["baseline"]
    ours = f"{network['variant']} {_cell(network[metric])}"
    theirs = f"the baseline {baseline['variant']} {_cell(baseline[metric])}"
    lead, spread = baseline[metric] - network[metric], network[f"{metric}_std"]
    if abs(lead) < spread:
        return (
            f"A draw: {ours} and {theirs} differ by less than the spread over seeds,"
            f" {_cell(spread)}."
        )
    if lead > 0:
        return f"{ours} beats every baseline; the best of them is {theirs}."
    more = " It has not been trained enough." if metric == "bits_per_char" else ""
    return f"No recurrent network beats {theirs}; the best of them is {ours}.{more}"


def shown(path: Path) -> str:
    """A path as one would type it from here."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
