"""Trained models, which have to be those that were scored."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset
from kedro.utils import load_obj

from unrolled.comparison.champion import MEDIAN
from unrolled.comparison.records import Winner
from unrolled.errors import InputError
from unrolled.records import read
from unrolled.training.cards import LanguageCard, Network, TrainedRow, Weights

if TYPE_CHECKING:
    from collections.abc import Callable


class Digests(AbstractDataset[dict[str, str], dict[str, str]]):
    """SHA-256 of the models below a local folder, by their paths there, and of what was fitted first.

    Read only. The graph does not know who writes them: a node that asks for digests must take something else
    that is written with each file, and so runs after it.
    """

    def __init__(
        self,
        *,
        filepath: str,
        glob: str,
        fitted: dict[str, str],
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Remember which files to read.

        Args:
            filepath: local folder of the models.
            glob: its files.
            fitted: `filepath` of the scaler or vocabulary that the models rely on; Kedro makes a
                relative path absolute under that key alone.
            metadata: free for plugins.
        """
        self._filepath = filepath
        self._glob = glob
        self._fitted = Path(fitted["filepath"])
        self.metadata = metadata

    def load(self) -> dict[str, str]:
        """Read every file whole."""
        folder = Path(self._filepath)
        files = {
            file.relative_to(folder).as_posix(): file for file in sorted(folder.glob(self._glob))
        }
        files[self._fitted.name] = self._fitted
        return {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()}

    def save(self, data: dict[str, str]) -> None:
        """Refuse: a digest says what lies there."""
        raise InputError(f"digests of '{self._filepath}' are computed from its files, not saved")

    def _exists(self) -> bool:
        return Path(self._filepath).is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "glob": self._glob, "fitted": str(self._fitted)}


class Row(AbstractDataset["TrainedRow[Any]", "TrainedRow[Any]"]):
    """A row of the leaderboard, ready to forecast: its name, and its networks where it has some.

    Every file must be the one that was scored, the scaler too: it decides what the numbers in and out
    mean.
    """

    def __init__(
        self,
        *,
        filepath: str,
        fitted: dict[str, str],
        card: str,
        model: str | None = None,
        parameter: str = "model",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Remember where the files lie.

        Args:
            filepath: local folder of all variants.
            fitted: `filepath` of the scaler; see `Digests`.
            card: class of the cards beside the weights, by its full name.
            model: name of the row; None: the winner.
            parameter: that says so, for the sentence.
            metadata: free for plugins.
        """
        self._folder = Path(filepath)
        self._fitted = Path(fitted["filepath"])
        self._card, self._model, self._parameter = card, model, parameter
        self.metadata = metadata

    def load(self) -> TrainedRow[Any]:
        """Read `winner.json` and the files of the networks.

        Raises:
            InputError: the job has not run, the row is not in its leaderboard, or a file is missing
                or is another than was scored.
        """
        from safetensors.torch import load

        path = self._folder / "winner.json"
        if not path.exists():
            raise InputError(
                f"file '{path}' does not exist, so nothing has been compared yet on this data set,"
                f" '{self._folder.name}'; run the pipeline {self._folder.parent.name} first"
            )
        winner = read(Winner, path.read_bytes(), path)
        name = self._model or winner.variant
        if name not in winner.rows:
            raise InputError(
                f"parameter '{self._parameter}' is {name!r}; expected a row of the leaderboard of"
                f" '{winner.data_set}': {', '.join(winner.rows)}"
            )
        row, digests = winner.rows[name], winner.digests
        networks = []
        if row.kind != "baseline":
            _verified(self._fitted, digests.get(self._fitted.name, "no digest of it"))
        for seed in row.seeds[: 1 if row.kind == "recurrent" else None]:
            stem = f"{name.removesuffix(MEDIAN) if row.kind == 'ensemble' else name}/seed_{seed}"
            weights, card = (
                _verified(self._folder / file, digests[file])
                for file in (f"{stem}.safetensors", f"{stem}.json")
            )
            own = read(load_obj(self._card), card, self._folder / f"{stem}.json")
            networks.append(Network(load(weights), own))
        return TrainedRow(name, row.kind, winner, networks)

    def save(self, data: TrainedRow[Any]) -> None:
        """Refuse: the job writes these files one by one."""
        raise InputError(f"rows of '{self._folder}' are read, not saved")

    def _exists(self) -> bool:
        return (self._folder / "winner.json").exists()

    def _describe(self) -> dict[str, Any]:
        return {"folder": str(self._folder), "fitted": str(self._fitted), "model": self._model}


def _verified(path: Path, sha256: str) -> bytes:
    """The bytes of a file, which must have this digest."""
    content = path.read_bytes() if path.exists() else b""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise InputError(
            f"file '{path}' {f'has SHA-256 {found}' if path.exists() else 'is missing'}, but the"
            f" model that was scored had {sha256}; it is truncated or was changed: run the job"
            " again"
        )
    return content


def _weights(path: Path, sha256: str) -> Weights:
    """Weights of this digest; where they were scored, the options beside them must have been too."""
    from safetensors.torch import load

    content, winner = _verified(path, sha256), path.parents[1] / "winner.json"
    scored = read(Winner, winner.read_bytes(), winner).digests if winner.exists() else {}
    name = f"{path.parent.name}/{path.stem}"
    if scored.get(f"{name}.safetensors") == sha256:
        _verified(path.with_suffix(".json"), scored[f"{name}.json"])
    return load(content)


class TrainedModels(AbstractDataset[None, "list[tuple[LanguageCard, Callable[[], Weights]]]"]):
    """Every language model of a corpus that lies on disk, whichever study trained it; read only."""

    def __init__(
        self, *, filepath: str, corpus: str, metadata: dict[str, Any] | None = None
    ) -> None:
        """Remember where the models lie.

        Args:
            filepath: local folder with `{variant}/seed_{n}.safetensors` and `.json`.
            corpus: its name, for the sentence.
            metadata: free for plugins.
        """
        self._filepath, self._corpus = filepath, corpus
        self.metadata = metadata

    def load(self) -> list[tuple[LanguageCard, Callable[[], Weights]]]:
        """Read the options of each model, and give a function that loads its weights.

        That function raises an `InputError` where the weights are not those of the options.

        Raises:
            InputError: there is none, or its options cannot be read.
        """
        found = [
            (read(LanguageCard, (card := path.with_suffix(".json")).read_bytes(), card), path)
            for path in sorted(Path(self._filepath).glob("*/seed_*.safetensors"))
            if path.with_suffix(".json").exists()
        ]
        if not found:
            raise InputError(
                f"corpus '{self._corpus}': no model is trained yet; run kedro run --pipelines=text"
                f" --params corpus={self._corpus} first"
            )
        return [(card, partial(_weights, path, card.sha256)) for card, path in found]

    def save(self, data: None) -> None:
        """Refuse: models are written one by one, where they are trained."""
        raise InputError(f"models in '{self._filepath}' are read together and never written so")

    def _exists(self) -> bool:
        return any(Path(self._filepath).glob("*/seed_*.safetensors"))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "corpus": self._corpus}
