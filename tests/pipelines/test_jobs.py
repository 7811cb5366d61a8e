"""The records of jobs: found in their folders, and of jobs that leave one another alone."""

import pickle
import re
from pathlib import Path

import pytest

import unrolled
from unrolled.pipelines.jobs import JOBS, found
from unrolled.study.job import Job, Study, job_named, with_data_sets

FOLDER = Path(unrolled.__file__).parent / "pipelines"


def package(folder: Path, name: str, **orders: int) -> None:
    (folder / name).mkdir()
    (folder / name / "__init__.py").touch()
    for job, order in orders.items():
        (folder / name / job).mkdir()
        record = f"from unrolled.study.job import Job\nJOB = Job({job.lower()!r}, order={order})\n"
        (folder / name / job / "job.py").write_text(record)


def test_every_folder_with_a_record_is_a_job_in_a_stated_order(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    package(tmp_path, "few", late=9, b=3, a=3, early=1)
    (tmp_path / "few/templates").mkdir()
    assert [job.name for job in found("few")] == ["early", "a", "b", "late"]
    package(tmp_path, "wrong", Other=1)
    with pytest.raises(ValueError, match=r"Other.job.py' holds the job 'other'; name it as its"):
        found("wrong")


def test_the_jobs_are_in_the_order_of_their_leaderboards():
    assert [job.name for job in JOBS if job.trains] == ["forecasting", "text", "gradients"]
    assert [(job.name, kind) for job, kind, _ in with_data_sets(JOBS)] == [
        ("forecasting", "series"),
        ("text", "corpus"),
    ]


def test_no_job_reads_another():
    names = "|".join(job.name for job in JOBS)
    for file in FOLDER.glob("*/*.py"):
        read = re.findall(rf"unrolled\.pipelines(?:\.| import )({names})\b", file.read_text())
        assert set(read) <= {file.parent.name}, file


def test_nothing_decides_by_the_name_of_a_job():
    names = "|".join(job.name for job in JOBS)
    compared = re.compile(rf"""[!=]= ["'](?:{names})["']""")
    # "text" is what many a record calls a text.
    keyed = re.compile(rf"""["'](?:{names.replace("text|", "")})["']: """)
    for file in [*FOLDER.parent.rglob("*.py"), *FOLDER.rglob("*.j2")]:
        assert not compared.findall(file.read_text()), file
        if file.parent.parent != FOLDER:
            assert not keyed.findall(file.read_text()), file


def test_records_go_to_workers():
    again = pickle.loads(pickle.dumps(JOBS))
    assert [job.name for job in again] == [job.name for job in JOBS]


def test_a_study_has_its_jobs_parts_and_a_namespace_without_a_record_a_plain_one():
    study = pickle.loads(pickle.dumps(Study((Job("a"),), {"a": 1})))
    assert study.a == 1
    with pytest.raises(AttributeError, match="the study has no part 'b'"):
        _ = study.b
    assert (job_named(JOBS, "text").data, job_named(JOBS, "other").data) == ("corpus", None)
