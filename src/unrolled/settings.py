"""Project settings of Kedro."""

import os
import warnings

from unrolled import study
from unrolled.datasets import write_files_whole
from unrolled.hooks import TrackingHooks
from unrolled.pipelines.jobs import JOBS
from unrolled.runners import PreloadHooks
from unrolled.terminal import TerminalHooks

# Also where no Makefile has set it: no tool of this project reports to anybody.
for variable in ("DO_NOT_TRACK", "KEDRO_DISABLE_TELEMETRY", "MLFLOW_DISABLE_TELEMETRY"):
    os.environ.setdefault(variable, "true")

write_files_whole()

# Calls of Kedro's own, and the dots of our namespaces, which it takes for an accident.
for message in (
    "(?s).*register_new_resolver",
    "One or more dataset names contain '.'",
    "Accessing the 'model_fields' attribute on the instance",
    "The 'preview_fn' feature is experimental",
):
    warnings.filterwarnings("ignore", message=message)

HOOKS = (TrackingHooks(JOBS), TerminalHooks(JOBS), PreloadHooks())
CONFIG_LOADER_CLASS = study.StudyConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {"mlflow": ["mlflow*", "mlflow*/**"]},
    # An environment changes single values, not whole files.
    "merge_strategy": {"parameters": "soft"},
    "jobs": JOBS,
    # `${study:series}` in the catalog is the data set of this run.
    "custom_resolvers": {"study": study.resolve},
}
