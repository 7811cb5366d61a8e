from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture
def shared_text():
    """Text of a file of the shared data, or a skip."""

    def read(path: str) -> str:
        file = SHARED / path
        if not file.exists():
            pytest.skip(f"the data set {path} is not on this machine")
        return file.read_text(encoding="utf-8")

    return read
