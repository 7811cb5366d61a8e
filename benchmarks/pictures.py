"""Make the README's pictures: a diagram of every cell, and those of the last `make run`.

python benchmarks/pictures.py             # after `make run`
python benchmarks/pictures.py --mlflow    # MLflow's pages of the last study alone, by Debian's chromium
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from unrolled.pipelines.inside import draw_cell
from unrolled.recurrent.description import descriptions
from unrolled.recurrent.options import LayerOptions
from unrolled.tracking import client_of
from unrolled.tracking.pages import address

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))  # for tests.browser
REPORT = PROJECT / "data/08_reporting"
IMAGES = PROJECT / "docs/images"
PICTURES = {
    "ahead": "forecasting/sunspots/ahead",
    "inside": "forecasting/sunspots/lstm/seed_0.inside",
    "text_units": "text/tang/gru/seed_0.units",
    "flow": "gradients/flow",
}


CELLS = {
    **{name: LayerOptions(cell=name) for name in descriptions()},
    "gru_reset_before": LayerOptions(cell="gru", manual=True, reset_after=False),
}


# What MLflow shows of itself to those who come for the first time.
WELCOMED = """
localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true");
localStorage.setItem("mlflow.telemetry.info.alert.dismissed_v1", "true");
"""
DRAWN = "document.querySelectorAll('.main-svg').length"


def take_mlflow(images: Path) -> None:
    """Take MLflow's pages of the last study: its table, its charts, its models, its own run."""
    from tests.browser import browser, mlflow_server

    client = client_of(f"sqlite:///{PROJECT}/mlflow.db")
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        mlflow_server(PROJECT) as server,
        browser(Path(profile)) as page,
    ):
        page.before_each_page(WELCOMED)
        page.resize(1440, 900)
        charts = address(client, server)
        experiment = charts.partition("/runs?")[0]
        study = client.search_runs(
            [experiment.rpartition("/")[2]],
            "tags.level = 'study'",
            order_by=["attributes.start_time DESC"],
            max_results=1,
        )[0]
        training = "workflowType=machine_learning"
        for name, url, shown in (
            ("charts", charts, f"{DRAWN} > 4"),
            ("table", charts.replace("CHART", "TABLE"), "document.querySelector('.ag-row')"),
            (
                "models",
                f"{experiment}/models?viewMode=CHART&{training}",
                f"{DRAWN} > 4",
            ),
            (
                "study",
                f"{experiment}/runs/{study.info.run_id}?{training}",
                "document.querySelector('table')",
            ),
        ):
            page.open("about:blank")
            page.open(url)
            page.wait(f"Boolean({shown})", 300)
            page.screenshot(images / f"mlflow_{name}.png", 1440, 900)


def take_pages(images: Path) -> None:
    """Take kedro-viz as it opens, and the report of the sunspots on a desk and on a phone."""
    from tests.browser import browser, kedro_viz

    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        browser(Path(profile)) as page,
    ):
        page.before_each_page('localStorage.setItem("KedroViz-user-settings", "{}")')
        with kedro_viz(PROJECT) as url:
            page.resize(1440, 900)
            page.open(url)
            page.wait("document.querySelectorAll('.pipeline-node').length")
            time.sleep(5)  # its hints come late
            for words in ("Dismiss", "Skip"):  # what it says to those who come for the first time
                page.ask(
                    f"[...document.querySelectorAll('button')].find(b => b.innerText == '{words}')?.click()"
                )
            page.ask(
                "document.querySelector('.feature-hints__close, [class*=hints] [class*=close]')?.click()"
            )
            time.sleep(8)  # and go slowly
            page.screenshot(images / "kedro_viz.png", 1440, 900)
        for name, width in (("report", 1280), ("report_phone", 400)):
            page.resize(width, 1600)
            page.open((REPORT / "forecasting/sunspots/report.html").as_uri())
            page.wait("document.querySelector('.main-svg')")
            page.screenshot(images / f"{name}.png", width, 1600)


def main() -> None:
    """Copy what a run drew, draw the cells anew, and take MLflow's pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mlflow", action="store_true", help="take MLflow's pages alone")
    alone = parser.parse_args().mlflow
    take_mlflow(IMAGES)
    if alone:
        return
    take_pages(IMAGES)
    (IMAGES / "cells").mkdir(parents=True, exist_ok=True)
    for name, options in CELLS.items():
        figure = draw_cell(options)
        figure.savefig(IMAGES / "cells" / f"{name}.png", dpi=150)
        figure.savefig(IMAGES / "cells" / f"{name}.svg", metadata={"Date": None})
    for name, place in PICTURES.items():
        source = REPORT / f"{place}.png"
        if not source.exists():
            sys.exit(f"{source.relative_to(PROJECT)} is not there; run that job first")
        shutil.copyfile(source, IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
