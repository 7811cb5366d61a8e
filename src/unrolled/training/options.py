"""Options of training."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class StepOptions(BaseModel):
    """How one step of any training is made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    learning_rate: float = Field(5e-3, gt=0, description="AdamW's step size at its highest")
    weight_decay: float = Field(0.0, ge=0, description="decoupled decay (AdamW)")
    clip_norm: float = Field(1.0, gt=0, description="gradients are scaled to at most this L2 norm")
    threads: int = Field(1, ge=1, le=1024, description="torch threads; the bits depend on it")

    @property
    def calmer(self) -> str:
        """What to change where a training diverges."""
        return (
            f"lower training.learning_rate (now {self.learning_rate:g}) or training.clip_norm"
            f" (now {self.clip_norm:g})"
        )


class TrainOptions(StepOptions):
    """How a forecaster is fitted."""

    epochs: int = Field(200, ge=1, description="passes over the training windows at most")
    batch_size: int = Field(32, ge=1, description="windows a step")
    schedule: Literal["constant", "cosine"] = Field("cosine", description="learning rate by epoch")
    early_stopping: bool = Field(
        True,
        description="stop after `patience` and keep the weights of the best epoch; false: run all"
        " epochs and keep the last weights",
    )
    patience: int = Field(
        30, ge=1, description="epochs without a better validation loss to stop at"
    )
    loss: Literal["mse", "mae", "huber"] = Field("mse", description="loss on the scaled values")
    refit: bool = Field(
        False,
        description="after validation has had its say, train anew on train and validation, up to"
        " the epoch that it chose",
    )
    augmentation: float = Field(
        0.0,
        ge=0,
        description="deviation of the logarithm of a random factor on each window and its targets",
    )
    averaging: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share that the mean of the weights keeps at a step; this mean is validated and"
        " kept (0: the weights themselves)",
    )


class TextTrainOptions(StepOptions):
    """How a language model is fitted, by truncated back-propagation through time."""

    epochs: float | None = Field(
        None,
        gt=0,
        le=1e6,
        description="passes over the training text, may be broken; None: 4, of a small text as many"
        " as make 400 steps, at most 100",
    )
    init_from: str | None = Field(
        None,
        description="corpus/variant whose best network of its last study is gone on from; None: from"
        " nothing",
    )
    batch_size: int = Field(32, ge=1, description="streams, or documents, side by side")
    chunk: int = Field(
        32, ge=1, description="steps the loss is carried back; the state is carried on past them"
    )
    learning_rate: float = Field(3e-3, gt=0, description="AdamW's step size at its highest")
    warmup: float = Field(
        0.02, ge=0, lt=1, description="share of the steps in which the step size rises from 0"
    )
    schedule: Literal["constant", "cosine", "plateau"] = Field(
        "cosine",
        description="after the warm-up; plateau halves the step size when an evaluation is no"
        " better than the best before it",
    )
    weight_decay: float = Field(0.01, ge=0, description="decoupled decay (AdamW)")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="of the matrix products in training; the weights stay float32. bfloat16 takes"
        " half the time where the processor has it (AVX512-BF16), and longer where it has not; a"
        " layer that torch cannot compute in it there computes in float32, and the log says so",
    )
    evaluations: int = Field(
        10, ge=1, description="times the validation loss is measured, evenly spread; the best stays"
    )

    @field_validator("init_from")
    @classmethod
    def _of_a_corpus(cls, init_from: str | None) -> str | None:
        if init_from is not None and not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", init_from):
            raise ValueError("expected corpus/variant, such as tang/gru")
        return init_from
