"""Options of a variant's network."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class LayerOptions(BaseModel):
    """A recurrent layer: a cell, and how it is stacked, regularised and initialised."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cell: Literal["rnn", "lstm", "gru", "min_gru", "min_lstm"] = Field(
        "gru", description="recurrent cell; the min cells' gates read the input alone"
    )
    manual: bool = Field(
        False, description="use our cell where torch has one too; the numbers are the same"
    )
    nonlinearity: Literal["tanh", "relu"] = Field("tanh", description="of the rnn cell")
    reset_after: bool = Field(
        True, description="GRU: reset after the matrix product (torch); false: before (Cho 2014)"
    )
    hidden: int = Field(32, ge=1, le=16384, description="units of each layer and direction")
    layers: int = Field(1, ge=1, le=100, description="layers, stacked")
    bidirectional: bool = Field(
        False, description="read backwards too; outputs are twice as wide and see what follows"
    )
    dropout: float = Field(
        0.0, ge=0.0, lt=1.0, description="share dropped between layers, drawn anew each step"
    )
    variational_dropout: float = Field(
        0.0, ge=0.0, lt=1.0, description="share dropped between layers, the same at every step"
    )
    residual: bool = Field(
        False, description="add a layer's input to its output where the sizes match"
    )
    layer_norm: bool = Field(False, description="normalise each layer's outputs over the units")
    learned_state: bool = Field(False, description="train the initial state instead of zeros")
    init: Literal["default", "orthogonal", "identity", "normal", "unscaled_normal"] = Field(
        "default", description="distribution of the first weights; see recurrent.initialisation"
    )
    forget_bias: float | Literal["chrono"] | None = Field(
        None,
        description="bias of the gate that keeps the state; chrono draws memory spans up to"
        " longest_lag; null leaves it to init",
    )
    longest_lag: int | None = Field(
        None, ge=3, description="longest dependency to remember in steps, for forget_bias chrono"
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        minimal = self.cell in ("min_gru", "min_lstm")
        if self.nonlinearity == "relu" and self.cell != "rnn":
            raise ValueError(
                f"nonlinearity relu is of cell rnn, but cell is {self.cell}; set nonlinearity to"
                " tanh"
            )
        if not self.reset_after and self.cell != "gru":
            raise ValueError(
                f"reset_after false is of cell gru, but cell is {self.cell}; set reset_after to"
                " true"
            )
        if not self.reset_after and not self.manual:
            raise ValueError(
                "reset_after false is computed by our own GRU alone; set manual to true"
            )
        for name, share in (
            ("dropout", self.dropout),
            ("variational_dropout", self.variational_dropout),
        ):
            if share and self.layers == 1:
                raise ValueError(
                    f"{name} {share:g} lies between layers, but layers is 1; set layers to 2 or"
                    f" more, or {name} to 0"
                )
        if self.dropout and self.variational_dropout:
            raise ValueError(
                f"dropout {self.dropout:g} and variational_dropout {self.variational_dropout:g}"
                " lie in the same place; set one of them to 0"
            )
        if minimal and self.init in ("orthogonal", "identity"):
            raise ValueError(
                f"init {self.init} is of recurrent weights, but cell {self.cell} has none; choose"
                " default, normal or unscaled_normal"
            )
        if self.forget_bias is not None and self.cell == "rnn":
            raise ValueError(
                f"forget_bias {self.forget_bias} needs a gate, but cell rnn has none; set"
                " forget_bias to null"
            )
        if (self.forget_bias == "chrono") != (self.longest_lag is not None):
            raise ValueError(
                f"forget_bias is {self.forget_bias} and longest_lag is {self.longest_lag}, but"
                " chrono and longest_lag go together; set both or neither"
            )
        return self

    @property
    def library(self) -> bool:
        """Whether torch's layer computes it."""
        return self.cell in ("rnn", "lstm", "gru") and not self.manual

    @property
    def directions(self) -> int:
        """Directions of reading: 2 for bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    @property
    def outputs(self) -> int:
        """Width of the outputs: hidden times directions."""
        return self.hidden * self.directions


class ModelOptions(LayerOptions):
    """A forecaster: a recurrent layer, what it reads, and how the horizon is read from it."""

    segment: int = Field(1, ge=1, description="steps read at once (SegRNN)")
    decoder: Literal["direct", "segments"] = Field(
        "direct",
        description="all steps from the last state by one linear map, or segment by segment, each"
        " by one more step of the recurrence (SegRNN)",
    )
    attention: Literal["none", "last_state", "scaled_dot_product"] = Field(
        "none", description="over the outputs of the lookback, asked by the last state"
    )
    heads: int = Field(1, ge=1, description="heads of scaled dot-product attention")
    head_dropout: float = Field(
        0.0, ge=0.0, lt=1.0, description="share of the last state dropped before the head"
    )
    highway: bool = Field(
        False, description="add a linear map of the window to the forecast (LSTNet's highway)"
    )
    window_normalisation: Literal["none", "last", "smoothed", "last_std", "mean_std"] = Field(
        "last",
        description="subtract the window's last value (and divide by its standard deviation), or its"
        " level by exponential smoothing at a rate that is learned, or standardise by its own"
        " moments",
    )

    @model_validator(mode="after")
    def _possible_forecaster(self) -> Self:
        if self.heads > 1 and self.attention != "scaled_dot_product":
            raise ValueError(
                f"heads {self.heads} are of attention scaled_dot_product, but attention is"
                f" {self.attention}; set heads to 1"
            )
        if self.outputs % self.heads:
            raise ValueError(
                f"{self.heads} heads do not divide the {self.outputs} outputs (hidden, times 2 if"
                " bidirectional); change one of them"
            )
        if self.decoder == "segments" and (self.bidirectional or self.attention != "none"):
            raise ValueError(
                "decoder segments goes on from the last state alone; set bidirectional to false and"
                " attention to none"
            )
        return self


class LanguageOptions(LayerOptions):
    """A language model: symbols as vectors, a recurrent layer, and what comes next."""

    hidden: int = Field(256, ge=1, le=16384, description="units of each layer")
    embedding: int = Field(64, ge=1, le=16384, description="E, width of a symbol's vector")
    tied: bool = Field(
        False,
        description="one matrix for reading and writing symbols; where embedding and hidden differ,"
        " a linear map stands between",
    )
    embedding_dropout: float = Field(
        0.0, ge=0.0, lt=1.0, description="share of the symbols read as zeros, drawn each chunk"
    )
    output_dropout: float = Field(
        0.0, ge=0.0, lt=1.0, description="share of the last layer's units dropped before the output"
    )
    weight_drop: float = Field(
        0.0, ge=0.0, lt=1.0, description="share of the recurrent weights dropped, drawn each chunk"
    )

    @property
    def made(self) -> dict[str, Any]:
        """What a network must have in common with one whose weights it takes."""
        return self.model_dump(
            exclude={
                "dropout",
                "variational_dropout",
                "embedding_dropout",
                "output_dropout",
                "weight_drop",
                "init",
                "forget_bias",
                "longest_lag",
            }
        )

    @model_validator(mode="after")
    def _possible_language_model(self) -> Self:
        if self.bidirectional:
            raise ValueError(
                "bidirectional true reads what it is asked for: a loss stands on every step; set"
                " bidirectional to false"
            )
        if self.weight_drop and self.cell in ("min_gru", "min_lstm"):
            raise ValueError(
                f"weight_drop {self.weight_drop:g} is of recurrent weights, but cell {self.cell}"
                " has none; set weight_drop to 0"
            )
        return self
