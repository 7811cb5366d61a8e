"""What all benchmarks share: timing, the table, and its form in a file.

A benchmark is a function from `quick` to rows, handed to `main`.
"""

from __future__ import annotations

import argparse
import inspect
import json
import operator
import os
import platform
import statistics
import time
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
_SIGNS = {"<=": operator.le, ">=": operator.ge}


@dataclass(frozen=True)
class Row:
    """One case: our value beside that of a named alternative from the same run.

    Attributes:
        case: what is measured, on what data.
        value: our value, in `unit`.
        reference: the alternative's value, in `unit`; None where there is none.
        reference_name: the alternative.
        bar: what is to be reached, as `value <= 10` or `ratio >= 20`; empty for no bar.
        ratio: value / reference.
        met: whether the bar is reached; None without one.
    """

    case: str
    value: float
    unit: str
    reference: float | None = None
    reference_name: str = ""
    ratio: float | None = field(init=False)
    bar: str = ""
    met: bool | None = field(init=False)

    def __post_init__(self) -> None:
        """Work out what follows from the rest."""
        ratio = self.value / self.reference if self.reference else None
        object.__setattr__(self, "ratio", ratio)
        met = None
        if self.bar:
            name, sign, limit = self.bar.split()
            met = _SIGNS[sign](getattr(self, name), float(limit))
        object.__setattr__(self, "met", met)


def measure(*functions: Callable[[], object], repeats: int = 7) -> list[float]:
    """Median seconds of each function, after one call to warm up.

    The repeats are interleaved, so that what else the machine does falls on all alike.
    """
    times: list[list[float]] = [[] for _ in functions]
    for function in functions:
        function()
    for _ in range(repeats):
        for seconds, function in zip(times, functions, strict=True):
            began = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - began)
    return [statistics.median(seconds) for seconds in times]


def machine() -> dict[str, Any]:
    """Describe the machine by what moves the numbers."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        models = []
    model = models[0] if models else platform.processor()
    return {
        "processor": f"{model} ({torch.backends.cpu.get_cpu_capability()})",
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__.partition("+")[0],
    }


def cells(row: dict[str, Any]) -> list[str]:
    """A row as text: case, ours, alternative, ratio, bar, met."""
    alternative = ""
    if row["reference"] is not None:
        alternative = f"{_number(row['reference'])} {row['unit']}, {row['reference_name']}"
    bar = f"{row['bar']} {row['unit']}" if row["bar"].startswith("value") else row["bar"]
    met = {True: "yes", False: "no", None: ""}[row["met"]]
    return [
        row["case"],
        f"{_number(row['value'])} {row['unit']}",
        alternative,
        _number(row["ratio"]),
        bar,
        met,
    ]


HEADINGS = ["case", "ours", "alternative", "ratio", "bar", "met"]


def print_table(rows: list[dict[str, Any]], title: str) -> None:
    """Print rows for people."""
    table = Table(*HEADINGS, title=title)
    for row in rows:
        table.add_row(*cells(row))
    Console().print(table)


def main(
    rows: Callable[..., list[Row]],
    only: Collection[str] = (),
    rehearse: str = "",
    minutes: float = 0,
    **files: Path,
) -> None:
    """Run a benchmark from the command line; its name is that of the file of `rows`.

    Args:
        rows: the benchmark; is handed each option below that there is, by its name.
        only: cases, one of which can be asked for.
        rehearse: what an option of this name does.
        minutes: how long each case is tried, where one that goes on for ever is.
        files: defaults of options of their names.
    """
    name = Path(inspect.getfile(rows)).stem
    parser = argparse.ArgumentParser(description=rows.__globals__["__doc__"])
    parser.add_argument("--quick", action="store_true", help="a reduced form, under two minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to this file too")
    parser.add_argument(
        "--save", action="store_true", help="keep the rows as the last full results"
    )
    for option, default in files.items():
        parser.add_argument(f"--{option}", type=Path, metavar="PATH", default=default)
    if only:
        parser.add_argument("--only", choices=only, help="this case alone; all without it")
    if rehearse:
        parser.add_argument("--rehearse", action="store_true", help=rehearse)
    if minutes:
        parser.add_argument("--minutes", type=float, default=minutes, help="minutes of each case")
    options = parser.parse_args()
    chosen = {option: getattr(options, option) for option in files}
    if only:
        chosen["only"] = [options.only] if options.only else list(only)
    if rehearse:
        chosen["rehearse"] = options.rehearse
    if minutes:
        chosen["minutes"] = options.minutes
    for reduced in ("quick", "only", "rehearse"):
        if options.save and getattr(options, reduced, None):
            parser.error(f"--save keeps full results; leave out --{reduced}")
    found = [asdict(row) for row in rows(options.quick, **chosen)]
    print_table(found, name)
    if options.json:
        _write(options.json, found)
    if options.save:
        saved = {
            "machine": machine(),
            "date": datetime.now(UTC).date().isoformat(),
            "command": f"python benchmarks/{name}.py",
            "rows": found,
        }
        _write(RESULTS / f"{name}.json", saved)


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
