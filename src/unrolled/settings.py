"""Project settings of Kedro."""

import warnings

from unrolled import study
from unrolled.datasets import write_files_whole
from unrolled.hooks import LeaderboardHooks, TrackingHooks

write_files_whole()

# Kedro's own call, and nothing that a user could mend.
warnings.filterwarnings("ignore", message="(?s).*register_new_resolver")

HOOKS = (study.StudyHooks(), TrackingHooks(), LeaderboardHooks())
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {"mlflow": ["mlflow*", "mlflow*/**"]},
    # `${study:series}` in the catalog is the data set of this run.
    # An environment changes single values, not whole files.
    "merge_strategy": {"parameters": "soft"},
    "custom_resolvers": {"study": study.resolve},
}
