"""Options of a variant's network.

Which cells there are, and which options belong to some of them alone, stands in `cells/`.
"""

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from unrolled.recurrent.description import Description, Own, descriptions

OWN: dict[str, Own] = {
    name: own for cell in descriptions().values() for name, own in cell.options.items()
}
# Known when the file of the cells has been read, so nothing for a type checker.
if TYPE_CHECKING:
    CellName = str
else:
    CellName = Literal[tuple(descriptions())]


class CellOptions(BaseModel):
    """Which cell a layer runs over time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cell: CellName = Field("gru", description="recurrent cell; all are in recurrent/cells")
    alternate: CellName | None = Field(
        None, description="cell of every second layer, the first of them the second; null: the same"
    )
    manual: bool = Field(
        False, description="use our cell where torch has one too; the numbers are the same"
    )


if TYPE_CHECKING:
    OwnOptions = CellOptions
else:
    OwnOptions = create_model(
        "OwnOptions",
        __base__=CellOptions,
        **{
            name: (own.kind, Field(own.default, description=own.description, **own.limits))
            for name, own in OWN.items()
        },
    )


class LayerOptions(OwnOptions):
    """A recurrent layer: a cell, and how it is stacked, regularised and initialised."""

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
        for name, own in OWN.items():
            self._refuse_own(name, own)
        if self.alternate and self.layers == 1:
            raise ValueError(
                f"alternate {self.alternate} is of the second layer, but layers is 1; set layers to 2"
                " or more, or alternate to null"
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
        if self.init in ("orthogonal", "identity"):
            self._refuse_without_recurrent_weights(
                f"init {self.init}", "choose default, normal or unscaled_normal"
            )
        for cell in self.described:
            if self.forget_bias is not None and not (cell.keep or cell.write):
                raise ValueError(
                    f"forget_bias {self.forget_bias} needs a gate, but cell {cell.name} has none;"
                    " set forget_bias to null"
                )
        if (self.forget_bias == "chrono") != (self.longest_lag is not None):
            raise ValueError(
                f"forget_bias is {self.forget_bias} and longest_lag is {self.longest_lag}, but"
                " chrono and longest_lag go together; set both or neither"
            )
        return self

    def _refuse_own(self, name: str, own: Own) -> None:
        """Refuse an option that belongs to other cells, or that does not fit.

        Raises:
            ValueError: so it is.
        """
        value = getattr(self, name)
        having = [cell for cell in self.described if name in cell.options]
        if value != own.default and not having:
            owners = " or ".join(c.name for c in descriptions().values() if name in c.options)
            cells = " and ".join(cell.name for cell in self.described)
            raise ValueError(
                f"{name} {_written(value)} is of cell {owners}, but cell is {cells}; set {name} to"
                f" {_written(own.default)}"
            )
        for cell in having:
            if value != own.default and not own.library and self.by_library(cell.name):
                raise ValueError(
                    f"{name} {_written(value)} is computed by our own {cell.name.upper()} alone; set"
                    " manual to true"
                )
            if own.divides_hidden and self.hidden % value:
                fitting = max(n for n in range(1, value) if self.hidden % n == 0)
                raise ValueError(
                    f"{name} {value} does not divide hidden {self.hidden}; choose a divisor of it,"
                    f" such as {fitting}"
                )

    def _refuse_without_recurrent_weights(self, what: str, cure: str) -> None:
        for cell in self.described:
            if not cell.recurrent:
                raise ValueError(
                    f"{what} is of recurrent weights, but cell {cell.name} has none; {cure}"
                )

    @property
    def cells(self) -> tuple[str, ...]:
        """The cell of each layer."""
        both = (self.cell, self.alternate or self.cell)
        return tuple(both[layer % 2] for layer in range(self.layers))

    @property
    def described(self) -> tuple[Description, ...]:
        """What the cells say of themselves, each once."""
        return tuple(descriptions()[name] for name in dict.fromkeys((self.cell, *self.cells)))

    def by_library(self, cell: str) -> bool:
        """Whether torch's layer computes a cell."""
        return descriptions()[cell].library is not None and not self.manual

    @property
    def library(self) -> bool:
        """Whether torch's layers compute all of it."""
        return all(map(self.by_library, self.cells))

    @property
    def directions(self) -> int:
        """Directions of reading: 2 for bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    @property
    def outputs(self) -> int:
        """Width of the outputs: hidden times directions."""
        return self.hidden * self.directions


def _written(value: object) -> str:
    """A value as it is written in an option."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class ModelOptions(LayerOptions):
    """A forecaster: a recurrent layer, what it reads, and how the horizon is read from it."""

    segment: int = Field(1, ge=1, le=10_000, description="steps read at once (SegRNN)")
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
        if self.weight_drop:
            self._refuse_without_recurrent_weights(
                f"weight_drop {self.weight_drop:g}", "set weight_drop to 0"
            )
        return self
