from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2].parent / "shared"


def shared(path: str) -> bytes:
    """A file of the shared data or cases, or a skip."""
    file = SHARED / path
    if not file.exists():
        pytest.skip(f"{path} is not on this machine")
    return file.read_bytes()


@pytest.fixture
def shared_text():
    """Text of a file of the shared data, or a skip."""
    return lambda path: shared(f"data/{path}").decode()


@pytest.fixture
def shared_case():
    """Bytes of a file of the shared cases, or a skip."""
    return lambda path: shared(f"cases/{path}")
