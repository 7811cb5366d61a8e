"""Options of the remedy matrix."""

from pydantic import BaseModel, ConfigDict, Field


class MatrixOptions(BaseModel):
    """How each cell of the remedy matrix is trained; the same for all, so that they compare."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hidden: int = Field(32, ge=1, description="units of each layer")
    batch_size: int = Field(32, ge=1, description="sequences a step, drawn anew")
    steps: int = Field(400, ge=1, description="training steps at most")
    learning_rate: float = Field(2e-2, gt=0, description="Adam's step size")
    evaluate_every: int = Field(25, ge=1, description="steps between evaluations")
    evaluation_size: int = Field(128, ge=1, description="sequences an evaluation, drawn anew")
    threads: int = Field(1, ge=1, description="torch threads; the bits depend on it")
