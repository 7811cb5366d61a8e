"""The cases: inputs that once failed, each for a kind."""

from collections.abc import Callable
from pathlib import Path

import pytest

CASES = Path(__file__).parents[3] / "shared" / "cases"


@pytest.fixture(scope="session")
def case() -> Callable[[str], Path]:
    """Find the file of a case, or skip."""

    def find(name: str) -> Path:
        path = CASES / name
        if not path.exists():
            pytest.skip(f"{path} is not here: the cases are no part of the project")
        return path

    return find
