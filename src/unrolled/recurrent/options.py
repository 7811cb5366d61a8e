"""Options of a variant's network."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ModelOptions(BaseModel):
    """What the network is made of; travels beside its weights."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cell: Literal["rnn", "lstm", "gru"] = Field("gru", description="recurrent cell")
    hidden: int = Field(32, ge=1, description="units in each recurrent layer")
    layers: int = Field(1, ge=1, description="recurrent layers, stacked")
    dropout: float = Field(
        0.0, ge=0.0, lt=1.0, description="share of the last state dropped in training"
    )
    segment: int = Field(
        1, ge=1, description="time steps read at once (SegRNN); lookback must be a multiple"
    )
    highway: bool = Field(
        False, description="add a linear map of the window to the forecast (LSTNet's highway)"
    )
    window_normalisation: Literal["none", "last", "mean_std"] = Field(
        "last", description="subtract the window's last value, or standardise by its own moments"
    )
