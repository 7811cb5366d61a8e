"""What `unrolled init` writes: the configuration and the data of this project, and a Makefile.

In a wheel they lie beside this file, put there by setup.py; in the repository they are its own.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from unrolled.errors import InputError

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
FOLDERS = ("conf", "data/01_raw")
FILES = {"Makefile": "Makefile", "pyproject.toml": "pyproject.toml", "gitignore": ".gitignore"}


def write(folder: Path) -> list[str]:
    """Make a folder a project that the installed package runs.

    Args:
        folder: it may hold other files, but none that is written here.

    Returns:
        What was written, as paths below the folder.

    Raises:
        InputError: one of them is there already.
    """
    written = [*FOLDERS, *FILES.values(), ".telemetry"]
    there = [name for name in written if (folder / name).exists()]
    if there:
        raise InputError(
            f"folder '{folder}' has {', '.join(there)} already, and nothing is overwritten; run"
            " unrolled init in an empty folder"
        )
    for name in FOLDERS:
        shutil.copytree(source(name), folder / name, ignore=_secrets)
    for name, target in FILES.items():
        shutil.copyfile(HERE / name, folder / target)
    (folder / ".telemetry").write_text("consent: false\n", encoding="utf-8")  # Kedro's, off
    return written


def source(name: str) -> Path:
    """Where a folder is copied from."""
    return (HERE if (HERE / name).is_dir() else REPOSITORY) / name


def _secrets(folder: str, names: list[str]) -> list[str]:
    """What a copy of `conf` leaves out: everything in `local` but the mark that keeps the folder."""
    return [name for name in names if Path(folder).name == "local" and name != ".gitkeep"]
