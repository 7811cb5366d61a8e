"""MLflow's database of a new project, made whole and beside the start of the first run.

MLflow brings a new sqlite file up to date by dozens of migrations, which take seconds, in place: a
process that is killed meanwhile leaves a file that MLflow never opens again. So a process of its own
makes it under another name, while Kedro reads configuration and catalog.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from unrolled.tracking import client_of

_making: subprocess.Popen[bytes] | None = None


def begin(uri: str) -> None:
    """Start to make the database of a tracking URI, where it is a sqlite file that is not there."""
    global _making
    place = uri.removeprefix("sqlite:///")
    # In memory, or with options behind the name, it is MLflow's own affair.
    is_file = place not in (uri, "", ":memory:") and "?" not in place
    if is_file and not Path(place).exists():
        command = [sys.executable, "-m", "unrolled.tracking.store", place]
        quiet = subprocess.DEVNULL  # where it fails, MLflow's own call soon says why
        _making = subprocess.Popen(command, stdout=quiet, stderr=quiet)


def wait() -> None:
    """Wait until it is there, or cannot be made."""
    global _making
    if _making is not None:
        _making.wait()
        _making = None


def make(path: Path) -> None:
    """Make a database under another name; it takes its own when it is whole, if none is there."""
    for left in path.parent.glob(f".{path.name}.[0-9]*"):
        process = left.name.rpartition(".")[2].partition("-")[0]  # -journal
        if process.isdigit() and not _runs(int(process)):  # but was killed
            left.unlink(missing_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        client_of(f"sqlite:///{draft.absolute()}")
        os.link(draft, path)  # a rename would take the place of one that another run has made
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return True


if __name__ == "__main__":
    make(Path(sys.argv[1]))
