"""What a run prints: results when they are there, few lines, and a sentence where a file lacks."""

import logging
from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import CSVDataset

from unrolled.datasets import Digests, SeriesFile
from unrolled.errors import InputError
from unrolled.pipelines.jobs import JOBS
from unrolled.study.job import job_named
from unrolled.terminal import ROWS, WIDTH, TerminalHooks, refuse_missing, results

BOARD = pd.DataFrame(
    {
        "variant": ["seasonal_naive", "gru"],
        "mase": [0.5, 0.75],
        "mase_std": [float("nan"), 0.1],
        "kind": ["baseline", "recurrent"],
        **{f"another_measure_{i}": [1.0, 2.0] for i in range(5)},
    }
)


def catalog_of(folder: Path, **more) -> DataCatalog:
    (folder / "leaderboard.csv").parent.mkdir(exist_ok=True)
    board = CSVDataset(filepath=str(folder / "leaderboard.csv"), save_args={"index": False})
    board.save(BOARD)
    return DataCatalog({"text.leaderboard": board} | more)


def job(*outputs: str) -> Pipeline:
    return Pipeline([Node(print, None, name, name=name) for name in outputs])


def test_a_table_fits_the_terminal_and_says_where_the_rest_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = results(job_named(JOBS, "text"), catalog_of(tmp_path / "report"))
    header, *rows = text.splitlines()[2:5]
    assert max(map(len, [header, *rows])) <= WIDTH
    assert header.split() == [
        "variant", "mase", "mase_std", "kind", "another_measure_0", "another_measure_1",
    ]  # fmt: skip
    assert "No recurrent network beats the baseline seasonal_naive 0.5" in text
    assert text.endswith("Report, with plots: report/report.html (whole table: leaderboard.csv)")


def test_a_long_table_is_cut_and_says_so(tmp_path):
    catalog = catalog_of(tmp_path)
    catalog["text.leaderboard"].save(pd.concat([BOARD] * 5))
    lines = results(job_named(JOBS, "text"), catalog).splitlines()
    assert len(lines) == 3 + ROWS + 3  # blank, name, header; rows; more, verdict, report
    assert lines[3 + ROWS] == f"... and {10 - ROWS} more"


def test_a_jobs_results_are_printed_once_as_soon_as_all_of_them_are_there(tmp_path, capsys):
    hooks = TerminalHooks(JOBS)
    catalog = catalog_of(tmp_path)
    pipeline = job("text.leaderboard", "text.protocol", "text.champion", "text.picture")
    hooks.before_pipeline_run({"project_path": tmp_path, "run_id": "now"}, pipeline, catalog)
    by_name = {node.name: node for node in pipeline.nodes}
    for name in ("text.protocol", "text.leaderboard", "text.picture"):
        hooks.after_node_saved(by_name[name], pipeline, catalog)
    assert capsys.readouterr().out == ""
    hooks.after_node_saved(by_name["text.champion"], pipeline, catalog)
    assert "seasonal_naive" in capsys.readouterr().out
    hooks.after_pipeline_run(pipeline, catalog)
    last = capsys.readouterr().out
    assert "seasonal_naive" not in last
    assert last.splitlines()[-1] == f"Every node: {tmp_path}/logs/now.log"


def test_kedros_lines_go_to_the_file_of_the_run(tmp_path):
    for name in ("one", "two"):
        hooks = TerminalHooks(JOBS)
        hooks.before_pipeline_run({"project_path": tmp_path, "run_id": name}, job(), DataCatalog())
        logging.getLogger("kedro.runner").warning("Completed node: %s", name)
        logging.getLogger("unrolled").warning("trained %s", name)
        if name == "one":
            hooks.after_pipeline_run(job(), DataCatalog())
        else:
            hooks.on_pipeline_error(InputError("no such column"))
    one, two = ((tmp_path / f"logs/{name}.log").read_text() for name in ("one", "two"))
    assert [line.split("WARNING ")[1] for line in one.splitlines()] == [
        "Completed node: one",
        "trained one",
    ]
    assert "Completed node: two" in two
    assert two.splitlines()[-1] == "unrolled.errors.InputError: no such column"


def test_a_missing_raw_file_is_found_before_anything_is_done(tmp_path):
    pipeline = Pipeline([Node(print, ["forecasting.raw", "digests", "params:x"], "y", name="n")])
    digests = Digests(filepath=str(tmp_path / "x"), glob="*", fitted={"filepath": "x"})
    catalog = DataCatalog(
        {
            "forecasting.raw": SeriesFile(filepath=str(tmp_path / "mine.csv")),
            "digests": digests,
            "params:x": MemoryDataset(1),
        }
    )
    with pytest.raises(Exception, match=r"series file '.*mine.csv' does not exist; put a .csv"):
        refuse_missing(pipeline, catalog)
    (tmp_path / "mine.csv").touch()
    refuse_missing(pipeline, catalog)


def test_a_missing_result_names_the_pipeline_that_makes_it(tmp_path):
    panel = JSONDataset(filepath=str(tmp_path / "panel.json"))
    pipeline = Pipeline([Node(print, "forecasting.panel", "y", name="n")])
    with pytest.raises(InputError) as refused:
        refuse_missing(pipeline, DataCatalog({"forecasting.panel": panel}))
    assert str(refused.value) == (
        f"file '{tmp_path}/panel.json' does not exist; it is a result of the pipeline forecasting:"
        " run kedro run --pipelines=forecasting first"
    )
