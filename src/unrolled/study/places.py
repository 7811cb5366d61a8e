"""Where files lie that a run is asked to read."""

from __future__ import annotations

from pathlib import Path

SERIES_FOLDER = Path("data/01_raw/series")


def is_there(place: str, project: Path) -> bool:
    """Whether there is such a file; a URL or a whole path is taken as it is."""
    try:
        return "://" in place or Path(place).is_absolute() or (project / place).exists()
    except (OSError, ValueError):  # no name that a file may have
        return False
