"""What happens around a `kedro run` in MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    log_as,
    log_input,
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
                elif kind == "input":
                    log_input(client_of(uri), run, value)
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
