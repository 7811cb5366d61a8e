"""The house, drawn from the imports of the code: rooms, lines, arrows.

    python benchmarks/house.py            # the table; ends with 1 where a rule is broken
    python benchmarks/house.py --draw     # also writes the arrows into docs/house.md

Arrows run from a room to those that it imports. Rooms stand in an order in which every arrow runs down,
which there is only where no rooms import one another; nor do modules; and no file has over 400 lines.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
from rich.console import Console
from rich.table import Table

PROJECT = Path(__file__).parents[1]
SOURCE = PROJECT / "src/unrolled"
PAGE = PROJECT / "docs/house.md"
LONGEST = 400  # lines of a file
# Modules that stand in no folder: what Kedro and the command line ask first, and what all stand on.
ENTRANCE = {"__main__", "cli", "hooks", "pipeline_registry", "runners", "settings", "starter", "terminal"}  # fmt: skip
GROUND = {"__init__", "encodings", "errors", "params", "records"}
Arrows = Mapping[str, set[str]]


def room_of(module: str) -> str:
    """The room of a module.

    >>> room_of("unrolled.series.baselines.naive"), room_of("unrolled.cli"), room_of("unrolled")
    ('series', 'entrance', 'ground')
    """
    _, *names = module.split(".")
    first = names[0] if names else "__init__"
    return "entrance" if first in ENTRANCE else "ground" if first in GROUND else first


def arrows_of_modules() -> Arrows:
    """Which module imports which, at its top or inside a function."""
    graph = grimp.build_graph("unrolled", cache_dir=None)
    return {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}


def arrows_of_rooms(modules: Arrows) -> Arrows:
    """The same of rooms."""
    found: dict[str, set[str]] = defaultdict(set)
    for module, imported in modules.items():
        found[room_of(module)] |= {room_of(other) for other in imported} - {room_of(module)}
    return found


def down(arrows: Arrows) -> list[str]:
    """An order in which every arrow runs down.

    Raises:
        CycleError: there is none.
    """
    ordered = {one: sorted(arrows[one]) for one in sorted(arrows)}
    return list(TopologicalSorter(ordered).static_order())[::-1]


def path_of(module: str) -> Path:
    place = PROJECT / "src" / Path(*module.split("."))
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def drawn(rooms: Arrows) -> str:
    """The page: arrows that another way down does not say already, as Mermaid draws them."""
    lines = []
    for room in down(rooms):
        below = set().union(*(_reached(rooms, other) for other in rooms[room]))
        lines += [f"    {room} --> {other}" for other in sorted(rooms[room] - below)]
    return "\n".join(
        [
            "# The house",
            "",
            "Each room imports what its arrows lead to, and what lies below that. `python benchmarks/house.py --draw`",
            "draws it from the code; what each room holds stands in CONTRIBUTING.md.",
            "",
            "```mermaid",
            "flowchart TD",
            *lines,
            "```",
            "",
        ]
    )


def _reached(rooms: Arrows, room: str) -> set[str]:
    """What lies below a room."""
    return rooms.get(room, set()).union(*(_reached(rooms, other) for other in rooms.get(room, ())))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draw", action="store_true", help="write docs/house.md")
    draw = parser.parse_args().draw
    modules = arrows_of_modules()
    rooms = arrows_of_rooms(modules)
    lines = {module: len(path_of(module).read_text().splitlines()) for module in modules}
    wrong = [f"{path_of(m)} has {n} lines" for m, n in lines.items() if n > LONGEST]
    try:
        down(modules)
        order = down(rooms)
    except CycleError as error:
        wrong.append(f"a circle: {' -> '.join(error.args[1])}")
        order = sorted(rooms)
    table = Table("room", "modules", "lines", "longest file", "imports", title="The house")
    for room in order:
        own = {module: lines[module] for module in modules if room_of(module) == room}
        longest = max(own, key=lambda module: own[module])
        name = str(path_of(longest).relative_to(SOURCE))
        below = [other for other in order if other in rooms[room]]
        table.add_row(
            room,
            str(len(own)),
            f"{sum(own.values()):,}",
            f"{name} {own[longest]}",
            ", ".join(below),
        )
    arrows = sum(map(len, modules.values()))
    table.add_row("in all", str(len(modules)), f"{sum(lines.values()):,}", "", f"{arrows} arrows")
    Console().print(table)
    if draw and not wrong:
        PAGE.write_text(drawn(rooms), encoding="utf-8")
    if wrong:
        sys.exit("\n".join(wrong))
    print("No arrow runs up, no circle, no file over 400 lines.")


if __name__ == "__main__":
    main()
