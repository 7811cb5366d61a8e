"""Run the fast tests against every mutant: `make mutants`.

The checkout is copied, so that nothing here is touched; a copy for each core.
"""

from __future__ import annotations

import argparse
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tests.mutants.table import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
LIMIT = 600  # seconds; a mutant may wait for ever


def copied(folder: Path) -> Path:
    """Copy the checkout as it stands, without what git ignores; some tests ask git itself."""
    subprocess.run(["git", "clone", "-q", "--shared", ROOT, folder], check=True)
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def tested(checkout: Path, *tests: str) -> str | None:
    """The first test that fails in a checkout; None where all pass."""
    command = [sys.executable, "-m", "pytest", "-xq", "-p", "no:cacheprovider", "-m", "not slow"]
    # tests/mutants sees that the code is another one, not that it is wrong.
    command.append("--ignore=tests/mutants")
    environment = os.environ | {"PYTHONPATH": str(checkout / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [*command, *tests],
            cwd=checkout,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no end after {LIMIT} s"
    if done.returncode == 0:
        return None
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    return found[1] if found else f"pytest ended with {done.returncode}"


def judged(mutant: Mutant, checkout: Path) -> str | None:
    """The test that sees a mutant; None where none does."""
    file = checkout / "src/unrolled" / mutant.file
    right = file.read_text()
    file.write_text(right.replace(mutant.before, mutant.after))
    try:
        own = [f"tests/{path}" for path in mutant.tests.split()]
        return tested(checkout, *own) or tested(checkout)
    finally:
        file.write_text(right)


def main() -> None:
    """Print a table; end with 1 where a mutant was not seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="part of what a mutant breaks, or of its file")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    mutants = [one for one in MUTANTS if asked.only in one.breaks or asked.only in one.file]
    began = time.perf_counter()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        checkouts: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for number in range(asked.jobs):
            checkouts.put(copied(Path(folder) / str(number)))
        if failed := tested(Path(folder) / "0"):
            sys.exit(f"{failed} fails without any mutant; mend it first")

        def run(mutant: Mutant) -> str | None:
            checkout = checkouts.get()
            try:
                seen = judged(mutant, checkout)
            finally:
                checkouts.put(checkout)
            console.print(f"{'seen' if seen else '[red]NOT SEEN[/red]'}: {mutant.breaks}")
            return seen

        with ThreadPoolExecutor(asked.jobs) as pool:
            found = list(pool.map(run, mutants))
    table = Table("breaks", "file", "seen by", title="mutants")
    for mutant, seen in zip(mutants, found, strict=True):
        table.add_row(mutant.breaks, mutant.file, (seen or "[red]none[/red]").split("::")[-1])
    console.print(table)
    caught = sum(one is not None for one in found)
    console.print(
        f"{caught} of {len(found)} mutants are seen ({caught / len(found):.0%}),"
        f" in {time.perf_counter() - began:.0f} s"
    )
    sys.exit(caught < len(found))


if __name__ == "__main__":
    main()
