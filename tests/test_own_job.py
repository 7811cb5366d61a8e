"""A job of one's own: a folder of `pipelines` and what it adds to `conf/`, and all else follows."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import unrolled
from unrolled.tracking import client_of

pytestmark = pytest.mark.slow

FILES = {
    "src/unrolled/pipelines/counting/__init__.py": '"""How often letters are in a word."""\n',
    "src/unrolled/pipelines/counting/nodes.py": """
import pandas as pd


def count(name: str, letters: str) -> tuple[pd.DataFrame, dict[str, float]]:
    found = {letter: name.count(letter) for letter in letters}
    return pd.DataFrame(found.items(), columns=["letter", "times"]), {"most": max(found.values())}
""",
    "src/unrolled/pipelines/counting/pipeline.py": """
from kedro.pipeline import Node, Pipeline

from unrolled.pipelines.counting import nodes
from unrolled.study.job import Study


def create_pipeline(study: Study) -> Pipeline:
    asked = ["params:name", "params:letters"]
    node = Node(nodes.count, asked, ["table", "metrics"], name="count")
    return Pipeline([node], namespace="counting")
""",
    "src/unrolled/pipelines/counting/job.py": """
from pydantic import BaseModel, ConfigDict

from unrolled.study.checks import checked
from unrolled.study.job import Given, Job, Study
from unrolled.study.names import file_name


class CountingStudy(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    letters: str


def _read(given: Given) -> CountingStudy:
    name = file_name(given.parameters, "word")
    return checked(CountingStudy, ("counting", {"name": name} | given.parameters["counting"]))


def _lay_out(study: CountingStudy) -> dict[str, str]:
    return study.model_dump(mode="json")


def _places(study: Study) -> dict[str, str | None]:
    return {"word": study.counting.name}


JOB = Job(
    name="counting",
    data="word",
    parameters={"word": str, "counting": {"letters": str}},
    read=_read,
    lay_out=_lay_out,
    places=_places,
    results=("table",),
)
""",
    "conf/base/parameters/counting.yml": "word: mississippi\ncounting:\n  letters: ips\n",
    "conf/base/catalog/counting.yml": """
counting.table:
  type: pandas.CSVDataset
  filepath: data/08_reporting/counting/${study:word}/table.csv
  save_args: {index: false}
  metadata: {mlflow: {log: artifact}}

counting.metrics:
  type: json.JSONDataset
  filepath: data/08_reporting/counting/${study:word}/metrics.json
  metadata: {mlflow: {log: metrics}}
""",
}


def test_a_job_of_ones_own_is_a_folder_and_its_entries_of_conf(project: Path) -> None:
    shutil.copytree(Path(unrolled.__file__).parent, project / "src/unrolled")
    for file, content in FILES.items():
        (project / file).parent.mkdir(exist_ok=True)
        (project / file).write_text(content, encoding="utf-8")

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        environment = dict(os.environ, PYTHONPATH=str(project / "src"))
        command = [sys.executable, "-m", "kedro", *words]
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=project)

    assert "- counting\n" in call("registry", "list").stdout

    run = ("run", "--env", "quick", "--pipelines=counting")
    done = call(*run, "--params", "word=banana,counting.letters=an")
    assert done.returncode == 0, done.stdout + done.stderr
    table = "counting.table\nletter  times\na           3\nn           2\n"
    assert table in done.stdout
    client = client_of(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("counting/banana")
    (study,) = client.search_runs([experiment.experiment_id])
    assert study.data.tags["word"] == "banana"
    assert study.data.params["letters"] == "an"
    assert study.data.metrics == {"most": 3}
    assert study.info.status == "FINISHED"
    assert [file.path for file in client.list_artifacts(study.info.run_id)] == ["table.csv"]

    refused = call(*run, "--params", "counting.letter=an")
    assert refused.returncode == 1
    assert "parameter 'counting.letter' is unknown; did you mean 'letters'?" in refused.stderr
