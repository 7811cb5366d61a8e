"""Rewrite the tables of benchmarks in the README and in docs/ from the last full results.

A table stands between `<!-- benchmark:NAME -->` and `<!-- /benchmark:NAME -->`, what
`benchmarks/forecasting.py` and `benchmarks/gradients.py` kept of a run between `<!-- leaderboard -->`
and `<!-- /leaderboard -->`, and `<!-- remedies -->` and `<!-- /remedies -->`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _table import HEADINGS, RESULTS, cells

PROJECT = Path(__file__).parents[1]
PAGES = (PROJECT / "README.md", PROJECT / "docs/choosing.md")
_TEXT = re.compile(r"(<!-- (leaderboard|remedies) -->\n).*?(<!-- /\2 -->)", re.DOTALL)
_TABLE = re.compile(r"(<!-- benchmark:(\w+) -->\n).*?(<!-- /benchmark:\2 -->)", re.DOTALL)


def markdown(saved: dict[str, Any]) -> str:
    """The saved results of one benchmark as a Markdown table, with the machine below."""
    table = [HEADINGS, ["---", "--:", "--:", "--:", "---", "---"], *map(cells, saved["rows"])]
    lines = [f"| {' | '.join(row)} |" for row in table]
    at = saved["machine"]
    on = f"{at['processor']}, {at['cores']} cores, Python {at['python']}, numpy {at['numpy']}"
    source = f"`{saved['command']}`, {saved['date']}: {on}, torch {at['torch']}."
    return "\n".join([*lines, "", source, ""])


def filled(text: str, results: Path) -> str:
    """The text with each marked table made anew; exits where a benchmark has no results."""

    def table(found: re.Match[str]) -> str:
        path = results / f"{found[2]}.json"
        if not path.exists():
            sys.exit(
                f"benchmark '{found[2]}' has no results; run `python"
                f" benchmarks/{found[2]}.py --save` first"
            )
        saved = json.loads(path.read_text(encoding="utf-8"))
        return found[1] + markdown(saved) + found[3]

    def printed(found: re.Match[str]) -> str:
        path = results / f"{found[2]}.txt"
        if not path.exists():
            return found[0]
        return f"{found[1]}```text\n{path.read_text(encoding='utf-8')}```\n{found[3]}"

    return _TEXT.sub(printed, _TABLE.sub(table, text))


def main(pages: Sequence[Path] = PAGES, results: Path = RESULTS) -> None:
    """Rewrite the pages, or with --check say whether one drifted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 on a drift")
    check = parser.parse_args().check
    for page in pages:
        before = page.read_text(encoding="utf-8")
        after = filled(before, results)
        if check and after != before:
            sys.exit(
                f"{page.name}: its tables of benchmarks differ from benchmarks/results; run `python"
                " benchmarks/readme.py`"
            )
        page.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
