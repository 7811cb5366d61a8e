"""What happens around a `kedro run` in MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.config import MissingConfigException
from kedro.framework.hooks import hook_impl

from unrolled.errors import InputError
from unrolled.study.job import Jobs
from unrolled.tracking import (
    RAN_TAG,
    Curve,
    choose_uri,
    client_of,
    close_studies,
    end_run,
    find_run,
    flat_params,
    gives_numbers,
    history_of,
    job_of,
    log_as,
    log_input,
    log_node,
    metrics_of,
    namespaces_of,
    never_fatal,
    open_run,
    open_studies,
    scores_of,
    tracking_uri,
    upload_files,
)
from unrolled.tracking import store as tracking_store
from unrolled.tracking.pages import keep_view, show_studies

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node


class TrackingHooks:
    """Tracks a `kedro run` in MLflow, under any runner."""

    def __init__(self, jobs: Jobs) -> None:
        """Take the records of the jobs, and nothing of any run: workers have hooks of their own."""
        self._jobs = jobs

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Settle where to track, before any worker starts."""
        try:
            config = context.config_loader["mlflow"]
        except (KeyError, MissingConfigException):
            config = {}
        tracking_store.begin(choose_uri(config, Path(context.project_path)))

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Make the studies' runs; a server that cannot be reached stops the run here, before any work."""
        namespaces = namespaces_of(pipeline)
        uri = tracking_uri()
        if not uri or not namespaces:
            return
        tracking_store.wait()
        try:
            parameters = catalog.load("parameters")
            experiments = open_studies(uri, run_params, namespaces, parameters, self._jobs)
            for experiment in experiments:
                keep_view(client_of(uri), experiment, run_params["run_id"])
        except Exception as error:  # of a request, a database or a file
            raise InputError(
                f"MLflow at '{uri}' cannot be used: {' '.join(str(error).split())[:300]}; start the"
                " server, mend MLFLOW_TRACKING_URI, or set enabled: false in conf/base/mlflow.yml"
            ) from error

    @hook_impl
    def before_node_run(self, node: Node, catalog: DataCatalog, run_id: str) -> None:
        """Open the run of a namespace with the first of its nodes that gives numbers."""
        uri = tracking_uri()
        if uri and node.namespace and gives_numbers(node, catalog):
            with never_fatal(f"the start of node {node.name}"):
                open_run(uri, run_id, node.namespace, self._jobs)

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
            is_study = node.namespace == job_of(node.namespace)
            curves: list[Curve] = []
            tags = {RAN_TAG: "true"} if is_study else {}
            data = []
            for name, value in outputs.items():
                kind = log_as(catalog, name)
                if kind == "metrics":
                    curves += metrics_of(value)
                elif kind == "history":
                    curves += history_of(value)
                elif kind == "scores":
                    scores, roles = scores_of(value)
                    curves, tags = curves + scores, tags | roles
                elif kind == "input":
                    data.append(value)
            # Most nodes only prepare or draw: their options are those of the ones that give numbers.
            run = find_run(uri, run_id, node.namespace) if curves or tags else None
            if run is None:
                return
            client = client_of(uri)
            params: dict[str, str] = {}
            for name, value in inputs.items():
                if name.startswith("params:"):
                    params |= flat_params(name, value, node.namespace)
            for value in data:
                log_input(client, run, value)
            found = log_node(client, run, params, curves, tags)
            if is_study or found is None or not gives_numbers(node, catalog):
                return
            if found.info.status == "RUNNING":
                end_run(client, found)

    @hook_impl
    def on_node_error(self, error: Exception, node: Node, run_id: str) -> None:
        """Say in its run that a node failed, and why."""
        uri = tracking_uri()
        if not uri or not node.namespace or node.namespace == job_of(node.namespace):
            return
        with never_fatal(f"the error of node {node.name}"):
            run = find_run(uri, run_id, node.namespace)
            if run is not None:
                end_run(client_of(uri), client_of(uri).get_run(run), error)

    @hook_impl
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Upload the files, show the studies and end their runs."""
        self._end(run_params, pipeline, catalog, None)

    @hook_impl
    def on_pipeline_error(
        self,
        error: Exception,
        run_params: dict[str, Any],
        pipeline: Pipeline,
        catalog: DataCatalog,
    ) -> None:
        """The same with what was written, and with the error's sentence."""
        self._end(run_params, pipeline, catalog, error)

    def _end(
        self,
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
        with never_fatal("the pages of the study"):
            show_studies(uri, run_params["run_id"], pipeline, catalog, self._jobs)
        with never_fatal("the end of the run"):
            close_studies(uri, run_params, pipeline, error)
