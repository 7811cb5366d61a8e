"""Cards: what stands beside the weights of a network, enough to build it again and to say what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from pydantic import Field

from unrolled.comparison.records import Card, Kind, Winner
from unrolled.records import Record
from unrolled.recurrent.options import LanguageOptions, ModelOptions
from unrolled.training.options import TextTrainOptions, TrainOptions

if TYPE_CHECKING:
    from torch import Tensor

    Weights = dict[str, Tensor]
else:
    Weights = dict[str, Any]


class ForecasterSpec(Record):
    """All that it takes to build a trained forecaster again."""

    model: ModelOptions
    training: TrainOptions
    seed: int
    features: int = Field(description="columns of a window: the target and its lags")
    lookback: int = Field(description="rows of a window")
    horizon: int = Field(description="K, steps ahead")


class ForecasterCard(Card, ForecasterSpec):
    """The card of a forecaster."""

    epoch: int = Field(description="whose weights were kept")

    @property
    def kept(self) -> str:
        """How long it trained, in words."""
        return f"epoch {self.epoch} of {self.training.epochs}"


class LanguageSpec(Record):
    """All that it takes, beside a vocabulary's size, to build a trained language model again."""

    model: LanguageOptions
    training: TextTrainOptions
    seed: int


class Origin(Record):
    """The network that a training went on from."""

    init_from: str = Field(description="corpus/variant")
    seed: int
    sha256: str = Field(description="of its weights")


class LanguageCard(Card, LanguageSpec):
    """The card of a language model."""

    passes: float = Field(description="over the train part, in all")
    step: int = Field(description="whose weights were kept")
    vocabulary: str = Field(description="fingerprint of what gave its ids their meaning")
    text: dict[str, str] = Field(description="digests of the ids that it has read")
    sha256: str = Field(description="of its weights")
    origin: Origin | None

    @property
    def kept(self) -> str:
        """How long it trained, in words."""
        return f"{self.passes:.3g} epochs"


C = TypeVar("C", bound=Card)


class Network(NamedTuple, Generic[C]):
    """Weights by name, and their card."""

    weights: Weights
    card: C


class TrainedRow(NamedTuple, Generic[C]):
    """A row of the leaderboard, ready to forecast or to write."""

    variant: str
    kind: Kind
    winner: Winner
    networks: list[Network[C]]  # one of a variant, all seeds of an ensemble, none of a baseline
