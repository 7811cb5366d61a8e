"""How a `kedro run` stands in MLflow: a run per job, below it one per baseline, variant and seed.

Nothing here holds state, since `ParallelRunner` starts anew in each worker process: a worker finds
its run again by tags. What a node's output means to MLflow stands in the catalog, as
`metadata: {mlflow: {log: metrics | history | artifact | scores | input}}`. The first node of a
namespace that gives numbers opens its run and closes it: so a run lasts as long as a training.
What is made at the end, for those who read MLflow's pages, is in `tracking.pages`.
"""

from unrolled.tracking.catalog import gives_numbers, local_file, log_as, namespaces_of, written
from unrolled.tracking.names import job_of, prefixes, variant_and_seed
from unrolled.tracking.runs import (
    DIGEST_LENGTH,
    ERROR_LENGTH,
    RAN_TAG,
    below,
    close_studies,
    end_run,
    experiment_of,
    find_run,
    log_input,
    log_node,
    open_run,
    open_studies,
    runs_of,
    upload_files,
)
from unrolled.tracking.server import (
    DEFAULT_URI,
    URI_VARIABLE,
    absolute_uri,
    choose_uri,
    client_of,
    never_fatal,
    tracking_uri,
)
from unrolled.tracking.values import Curve, flat_params, history_of, metrics_of, scores_of

__all__ = [
    "DEFAULT_URI",
    "DIGEST_LENGTH",
    "ERROR_LENGTH",
    "RAN_TAG",
    "URI_VARIABLE",
    "Curve",
    "absolute_uri",
    "below",
    "choose_uri",
    "client_of",
    "close_studies",
    "end_run",
    "experiment_of",
    "find_run",
    "flat_params",
    "gives_numbers",
    "history_of",
    "job_of",
    "local_file",
    "log_as",
    "log_input",
    "log_node",
    "metrics_of",
    "namespaces_of",
    "never_fatal",
    "open_run",
    "open_studies",
    "prefixes",
    "runs_of",
    "scores_of",
    "tracking_uri",
    "upload_files",
    "variant_and_seed",
    "written",
]
