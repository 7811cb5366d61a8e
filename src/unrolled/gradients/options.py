"""Options of the theory, of the remedy matrix, and the remedies themselves.

All remedies change one thing in the plain network (`none`): torch's tanh RNN with its own first
weights, trained with Adam. That network does not explode, and Adam divides by the size of the
gradient, so neither shows what clipping is for; hence the IRNN by plain descent, as Le et al. 2015
trained it, without and with it.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from unrolled.records import Record
from unrolled.recurrent.options import LayerOptions


class TheoryOptions(BaseModel):
    """Random networks whose products of Jacobians are measured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: tuple[Annotated[float, Field(ge=-100, le=100)], ...] = Field(
        (0.5, 0.8, 0.95, 1.0, 1.05, 1.2, 1.5), min_length=1, description="w of a single unit"
    )
    radii: tuple[Annotated[float, Field(ge=0, le=100)], ...] = Field(
        (0.5, 0.8, 1.0, 1.2, 1.5), min_length=1, description="spectral radius of W"
    )
    hidden: int = Field(32, ge=1, le=16384, description="units of the networks with a W")
    lags: int = Field(100, ge=1, le=10_000, description="the longest lag, steps")
    draws: int = Field(
        20, ge=1, le=10_000, description="networks and inputs for each weight or radius"
    )
    seed: int = Field(0, ge=0, description="of the draws")


class MatrixOptions(BaseModel):
    """How each cell of the remedy matrix is trained; the same for all, so that they compare."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hidden: int = Field(32, ge=1, le=16384, description="units of each layer")
    batch_size: int = Field(32, ge=1, le=100_000, description="sequences a step, drawn anew")
    steps: int = Field(400, ge=1, description="training steps at most")
    learning_rate: float = Field(2e-2, gt=0, description="Adam's step size")
    evaluate_every: int = Field(25, ge=1, description="steps between evaluations")
    evaluation_size: int = Field(
        128, ge=1, le=100_000, description="sequences an evaluation, drawn anew"
    )
    threads: int = Field(1, ge=1, le=1024, description="torch threads; the bits depend on it")


class Remedy(BaseModel):
    """What is changed in the plain network or in its training."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field(description="what it is, to be read")
    base: str = Field("none", description="the network without it")
    layer: dict[str, Any] = Field(
        {}, description="options of the layer; chrono gets the task's length as its longest lag"
    )
    clip_norm: float | None = Field(None, gt=0, description="largest L2 norm of the gradient")
    clip_value: float | None = Field(None, gt=0, description="largest element of the gradient")
    optimiser: Literal["adam", "sgd"] = Field("adam", description="Adam, or plain descent")
    warm_up: int = Field(0, ge=0, description="steps over which the step size rises from 0")
    truncate: int | None = Field(None, ge=1, description="steps that the gradient goes back")


class NetworkCard(Record):
    """What stands beside the weights of a network that is looked into."""

    variant: str
    layer: LayerOptions
    length: int = Field(description="T of the task that it was trained on")
    seed: int
    training: MatrixOptions


REMEDIES = {
    "none": Remedy(title="Plain tanh RNN"),
    "clip_norm": Remedy(title="Clipping by norm", clip_norm=1.0),
    "clip_value": Remedy(title="Clipping by value", clip_value=0.1),
    "orthogonal": Remedy(title="Orthogonal weights", layer={"init": "orthogonal"}),
    "identity": Remedy(
        title="Identity weights with ReLU (IRNN)",
        layer={"init": "identity", "nonlinearity": "relu"},
    ),
    "identity_sgd": Remedy(
        title="IRNN by SGD",
        layer={"init": "identity", "nonlinearity": "relu"},
        optimiser="sgd",
    ),
    "identity_sgd_clipped": Remedy(
        title="IRNN by SGD, clipping by norm",
        base="identity_sgd",
        layer={"init": "identity", "nonlinearity": "relu"},
        optimiser="sgd",
        clip_norm=1.0,
    ),
    "scaled": Remedy(title="Weights from N(0, 1 / H)", layer={"init": "normal"}),
    "relu": Remedy(title="ReLU", layer={"nonlinearity": "relu"}),
    "lstm_bias_0": Remedy(title="LSTM, forget bias 0", layer={"cell": "lstm", "forget_bias": 0.0}),
    "lstm_bias_1": Remedy(title="LSTM, forget bias 1", layer={"cell": "lstm", "forget_bias": 1.0}),
    "lstm_chrono": Remedy(title="LSTM, chrono", layer={"cell": "lstm", "forget_bias": "chrono"}),
    "gru": Remedy(title="GRU", layer={"cell": "gru"}),
    "residual": Remedy(title="Two layers, residual", layer={"layers": 2, "residual": True}),
    "layer_norm": Remedy(title="Layer norm", layer={"layer_norm": True}),
    "warm_up": Remedy(title="Learning-rate warm-up", warm_up=100),
    "truncated": Remedy(title="Truncated back-propagation", truncate=16),
}

TASK_NAMES = ("adding", "copy")
