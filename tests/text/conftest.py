from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2].parent / "shared"


@pytest.fixture
def shared_text():
    """Text of a file of the shared data, or a skip."""

    def read(path: str) -> str:
        file = SHARED / "data" / path
        if not file.exists():
            pytest.skip(f"the data set {path} is not on this machine")
        return file.read_text(encoding="utf-8")

    return read


@pytest.fixture
def shared_case():
    """Bytes of a file of the shared cases, or a skip."""

    def read(path: str) -> bytes:
        file = SHARED / "cases" / path
        if not file.exists():
            pytest.skip(f"the case {path} is not on this machine")
        return file.read_bytes()

    return read
