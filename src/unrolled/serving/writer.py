"""A language model in service: a prompt in, characters out, by its ONNX graph of one step.

This file goes with the registered model, so it imports numpy, pydantic and onnxruntime alone. A seed writes what
`generate` writes with it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from unrolled.errors import InputError, shown
from unrolled.records import Record, read
from unrolled.serving.forecaster import open_graph
from unrolled.text.writing import (
    choose,
    normalised,
    refuse_surrogates,
    unknown_in,
    unknown_sentence,
)

logger = logging.getLogger(__name__)

MAX_LENGTH = 10_000
MAX_TOTAL = 100_000  # characters of one request: some ten seconds
DEFAULTS: dict[str, Any] = {"length": 200, "temperature": 0.8, "seed": 0}
_WHOLE = {"length": (1, MAX_LENGTH), "seed": (0, 2**63 - 1)}  # from, to


def refuse_params(params: Mapping[str, Any]) -> None:
    """Refuse params that cannot be, as they are in JSON or as MLflow hands them over.

    >>> refuse_params({"length": 10, "temperature": 0, "seed": 1})

    Raises:
        InputError: an unknown name, or a value of another kind or beyond what can be.
    """
    for name, value in params.items():
        if name not in DEFAULTS:
            raise InputError(
                f"params has {shown(name)}, which is unknown; expected {', '.join(DEFAULTS)}"
            )
        if name == "temperature":
            right = isinstance(value, int | float | np.number)
            least, most = 0, sys.float_info.max
            expected = "a finite number of 0 or more"
        else:
            right = isinstance(value, int | np.integer)
            least, most = _WHOLE[name]
            expected = f"a whole number from {least} to {most}"
        if isinstance(value, bool) or not right or not least <= value <= most:
            found = str(value).lower() if isinstance(value, bool) else shown(value)
            raise InputError(f"{name} is {found}; expected {expected}")


def refuse_prompt(prompt: object, where: str = "") -> None:
    """Refuse what is no prompt: no text, or more of it than is read.

    Args:
        prompt: as it came; MLflow lets numbers and nothing pass.
        where: it stands, for the sentence.

    Raises:
        InputError: so it is.
    """
    if not isinstance(prompt, str):
        raise InputError(f"prompt is {shown(prompt)}{where}; expected text")
    if len(prompt) > MAX_LENGTH:
        raise InputError(
            f"prompt has {len(prompt)} characters{where}; expected at most {MAX_LENGTH}"
        )
    refuse_surrogates(prompt)


class ServedText(Record):
    """What a served language model knows of its text: `writer.json`."""

    kind: ClassVar = "writer"
    sha256: str = Field(description="of the graph")
    reading: dict[str, Any] = Field(description="how the corpus was read, and so a prompt is")
    characters: str = Field(description="known ones, by rising id")
    first: int = Field(description="id of the first of them")
    before: list[int] = Field(description="ids read before every prompt")
    empty: list[int] = Field(description="ids read in place of an empty prompt")
    lowest: int = Field(description="lowest id that is ever written")
    stop: int | None = Field(description="id that ends a text; none where texts have no end")
    state: list[Any] = Field(description="before anything is read, each (L, 1, H)")


class ServedWriter:
    """The graph and the characters that it knows."""

    def __init__(self, folder: Path) -> None:
        """Open `writer.onnx` and `writer.json` of a folder.

        Raises:
            InputError: another graph than the one that was registered.
        """
        about = folder / "writer.json"
        self.known = read(ServedText, about.read_bytes(), about)
        self.session = open_graph(folder / "writer.onnx", self.known.sha256)
        self.first, self.characters = self.known.first, self.known.characters
        self.ids = {c: self.first + place for place, c in enumerate(self.characters)}
        self.names = [value.name for value in self.session.get_inputs()]

    def step(
        self, ids: npt.NDArray[np.int64], state: list[npt.NDArray[np.float32]] | None = None
    ) -> tuple[npt.NDArray[np.float32], list[npt.NDArray[np.float32]]]:
        """Read one symbol of each text (B,): logits (B, V) of the next, and the state after."""
        if state is None:
            state = [np.repeat(np.float32(first), len(ids), axis=1) for first in self.known.state]
        logits, *after = self.session.run(None, dict(zip(self.names, [ids, *state], strict=True)))
        return logits, after

    def stream(self, prompt: str, length: int, temperature: float, seed: int) -> Iterator[str]:
        """Write on from a prompt, each character as soon as it is drawn.

        Args:
            prompt: beginning of the text, may be empty; read as its corpus was. Characters that the
                model does not know are read as `<unk>`, with a warning.
            length: characters written at most.
            temperature: logits are divided by it; 0 takes the likeliest every time.
            seed: of the draws.

        Raises:
            InputError: a value that cannot be.
        """
        refuse_params({"length": length, "temperature": temperature, "seed": seed})
        refuse_prompt(prompt)
        prompt = self.read(prompt)
        unknown = self.unknown(prompt)
        if unknown:
            logger.warning("%s; read as <unk>", unknown_sentence(prompt, unknown))
        return self._stream(prompt, length, temperature, seed)

    def read(self, prompt: str) -> str:
        """The prompt as its corpus was read."""
        return normalised(prompt, **self.known.reading)

    def unknown(self, prompt: str) -> list[str]:
        """Characters of a prompt that the model does not know."""
        return unknown_in(self.read(prompt), self.characters)

    def _stream(self, prompt: str, length: int, temperature: float, seed: int) -> Iterator[str]:
        ids = [*self.known.before, *(self.ids.get(c, 0) for c in prompt)]
        state, draws = None, np.random.default_rng(seed)
        for symbol in ids or self.known.empty:
            logits, state = self.step(np.array([symbol]), state)
        lowest = self.known.lowest
        for _ in range(length):
            allowed, chance = logits[:, lowest:].astype(np.float64), draws.random((1, 1))
            symbol = int(choose(allowed, temperature, chance)[0]) + lowest
            if symbol == self.known.stop:
                return
            yield self.characters[symbol - self.first]
            logits, state = self.step(np.array([symbol]), state)
