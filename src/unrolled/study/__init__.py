"""The study of this run: data sets, variants, baselines and seeds, with every default resolved.

Kedro's registry knows no configuration, yet the graph follows the parameters. So the loader of
configuration resolves them into a `Study`, adds the resolved options under the job's namespace
(where nodes find them as `params:forecasting.gru.model`) and keeps the study for the registry and
for `${study:...}` in the catalog.

What is of one job alone stands in that job's record; here is what holds for all of them.

What a data set was run with is kept beside its results, and pipelines that only read results take it
from there, so that it is said once.
"""

from unrolled.study.job import DataSet, Given, Job, Jobs, Study
from unrolled.study.kept import KEPT, with_kept
from unrolled.study.layout import as_parameters
from unrolled.study.loader import StudyConfigLoader, current, resolve
from unrolled.study.parameters import ANY, expanded, kind_of, kinds_of, short_of
from unrolled.study.reading import read

__all__ = [
    "ANY",
    "KEPT",
    "DataSet",
    "Given",
    "Job",
    "Jobs",
    "Study",
    "StudyConfigLoader",
    "as_parameters",
    "current",
    "expanded",
    "kind_of",
    "kinds_of",
    "read",
    "resolve",
    "short_of",
    "with_kept",
]
