"""Train and run a forecaster on windows gathered by index from the scaled values."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from unrolled.recurrent.batch import Batch, Inputs
from unrolled.recurrent.forecaster import Forecaster, parameter_count
from unrolled.recurrent.heads import HEADS, Head
from unrolled.recurrent.options import ModelOptions
from unrolled.series.options import SeriesOptions
from unrolled.series.windows import starts
from unrolled.training.cards import ForecasterSpec
from unrolled.training.loop import (
    WATCHED,
    Plan,
    Row,
    Watch,
    best,
    deterministic,
    fit,
    half_cosine,
)
from unrolled.training.options import TrainOptions

WATCH_EVERY = 300  # steps, so that looking at a network's health costs at most 3 % of them
# Windows forecast at once: bounds the memory of a long test part.
PREDICT_BATCH = 4096


def gather(values: Tensor, first: Tensor, series: SeriesOptions) -> tuple[Batch, Tensor]:
    """Cut a batch of windows out of the values.

    Args:
        values: (N,) float32, scaled.
        first: (B,) int64, first row of each window.
        series: lags, lookback and horizon.

    Returns:
        What the network reads; targets (K, B).
    """
    context = series.context
    view = values.unfold(0, series.span, 1)  # (N - span + 1, span), copies nothing
    steps = view.index_select(0, first).T  # (span, B); half the time of view[first]
    features = [steps[context - series.lookback - lag : context - lag] for lag in (0, *series.lags)]
    # Stacking one feature would copy it for nothing.
    inputs = torch.stack(features, dim=2) if series.lags else features[0].unsqueeze(2)
    return Batch(inputs), steps[context:]


def _targets_seen(observed: Tensor, first: Tensor, series: SeriesOptions) -> Tensor:
    """Which targets of windows (B,) were observed, bool (K, B)."""
    view = observed.unfold(0, series.horizon, 1)
    return view.index_select(0, first + series.context).T


def _scored(first: Tensor, observed: Tensor, series: SeriesOptions) -> Tensor:
    """The windows of which a target was observed: others have nothing to learn from."""
    if observed.all():
        return first
    return first[_targets_seen(observed, first, series).any(dim=0)]


@dataclass
class Shuffled:
    """Batches of indices below `count`, every epoch in another order, for ever."""

    count: int
    batch_size: int
    left: list[Tensor] = field(default_factory=list)  # of this epoch

    def __next__(self) -> Tensor:
        """The next batch, int64 (B,)."""
        if not self.left:
            self.left = list(torch.randperm(self.count).split(self.batch_size))
        return self.left.pop(0)


@dataclass
class WindowTask:
    """Forecasts from windows of scaled values; a `Task` of the training loop.

    Attributes:
        net: what forecasts.
        values: (N,) float32, scaled.
        first: (W,) int64, first rows of the windows to learn from, in `batches`.
        held_out: first rows of those to validate on.
        validated: whether they are; else they are looked at alone.
        head: judges the forecasts.
        observed: (N,) bool, rows whose target counts; None: all.
    """

    net: Forecaster
    values: Tensor
    series: SeriesOptions
    first: Tensor
    batches: Shuffled
    held_out: Tensor
    validated: bool
    head: Head
    observed: Tensor | None
    augmentation: float

    def __post_init__(self) -> None:
        """Gather once what is read at every validation."""
        self.validation = gather(self.values, self.held_out, self.series)

    def loss(self) -> tuple[Tensor, int]:
        """Of the next batch."""
        own = self.first.index_select(0, next(self.batches))
        x, y = gather(self.values, own, self.series)
        if self.augmentation:
            factor = torch.empty(len(own)).log_normal_(0, self.augmentation)  # (B,)
            x, y = x._replace(target=x.target * factor[:, None]), y * factor
        return self._loss(x, y, own), len(own)

    def validate(self) -> float:
        """Of all windows that are held out."""
        if not self.validated:
            return math.nan
        x, y = self.validation
        return float(self._loss(x, y, self.held_out))

    def inputs(self) -> Batch:
        """Some windows that are held out."""
        return gather(self.values, self.held_out[:WATCHED], self.series)[0]

    def _loss(self, x: Batch, y: Tensor, first: Tensor) -> Tensor:
        seen = None
        if self.observed is not None:
            seen = _targets_seen(self.observed, first, self.series)
        return self.head.loss(self.net(x), y, seen)


def plan(options: TrainOptions, windows: int, epochs: int | None, *, validated: bool) -> Plan:
    """How a forecaster is trained on so many windows, for so many epochs or as validation says."""
    per_epoch = -(-windows // options.batch_size)
    stops_early = validated and options.early_stopping
    return Plan(
        steps=(epochs or options.epochs) * per_epoch,
        epoch=per_epoch,
        due=lambda step: step % per_epoch == 0,
        rate=lambda step: learning_rate(options, -(-step // per_epoch)),
        optimiser=partial(
            torch.optim.AdamW, lr=options.learning_rate, weight_decay=options.weight_decay
        ),
        clip=options.clip_norm,
        keep="best" if stops_early else "last",
        patience=options.patience if stops_early else None,
        averaging=options.averaging,
        divergence=math.inf,
        advice=options.calmer,
        watch_every=WATCH_EVERY,
        unit="epoch",
    )


def learning_rate(options: TrainOptions, epoch: int) -> float:
    """Step size in an epoch (from 1): constant, or half a cosine down to a hundredth."""
    if options.schedule == "constant":
        return options.learning_rate
    share = (epoch - 1) / max(1, options.epochs)
    return options.learning_rate * (0.01 + 0.99 * half_cosine(share))


def kept(history: list[Row], options: TrainOptions) -> Row:
    """The row of the epoch whose weights are kept."""
    return best(history) if options.early_stopping else history[-1]


def fit_forecaster(
    values: npt.NDArray[np.float32],
    observed: npt.NDArray[np.bool_],
    windows: pd.DataFrame,
    series: SeriesOptions,
    model: ModelOptions,
    training: TrainOptions,
    seed: int,
    label: str,
    watch: Watch | None = None,
) -> tuple[dict[str, Tensor], list[Row], int]:
    """Fit one variant with one seed, to targets that were observed.

    With `training.refit`, validation chooses the epoch (without early stopping: the last) and a
    second network, of the same seed, is trained on train and validation up to it. `watch` measures
    the health of the first.

    Returns:
        Weights, learning curve (of the run that was validated), number of parameters.
    """
    fit_parts = partial(_fit_parts, values, observed, windows, series, model, training, seed, label)
    net, history = fit_parts(("train",), watch=watch)
    if training.refit:
        net, _ = fit_parts(("train", "validation"), round(kept(history, training).epoch))
    return net.state_dict(), history, parameter_count(net)


def fit_weights(
    values: npt.NDArray[np.float32],
    observed: npt.NDArray[np.bool_],
    windows: pd.DataFrame,
    series: SeriesOptions,
    model: ModelOptions,
    training: TrainOptions,
    seed: int,
    label: str,
) -> dict[str, Tensor]:
    """The weights of `fit_forecaster`, without a run that would only draw the learning curve."""
    options = (values, observed, windows, series, model, training, seed, label)
    if training.refit and not training.early_stopping:
        net, _ = _fit_parts(*options, ("train", "validation"), training.epochs)
        return net.state_dict()
    return fit_forecaster(*options)[0]


def _fit_parts(
    values: npt.NDArray[np.float32],
    observed: npt.NDArray[np.bool_],
    windows: pd.DataFrame,
    series: SeriesOptions,
    model: ModelOptions,
    training: TrainOptions,
    seed: int,
    label: str,
    parts: tuple[str, ...],
    epochs: int | None = None,
    watch: Watch | None = None,
) -> tuple[Forecaster, list[Row]]:
    """Train on all windows of the parts, for so many epochs or as long as validation says."""
    data, seen = torch.from_numpy(values), torch.tensor(observed)
    with deterministic(seed, training.threads):
        net = Forecaster(model, Inputs(1 + len(series.lags)), series.lookback, series.horizon)
        first = _scored(torch.from_numpy(starts(windows, *parts)), seen, series)
        held_out = _scored(torch.from_numpy(starts(windows, "validation")), seen, series)
        task = WindowTask(
            net,
            data,
            series,
            first,
            Shuffled(len(first), training.batch_size),
            held_out,
            not epochs,
            HEADS[training.loss],
            None if seen.all() else seen,
            training.augmentation,
        )
        how = plan(training, len(first), epochs, validated=not epochs)
        history = fit(net, task, how, None if epochs else watch, label)
    return net, history


def spec(
    series: SeriesOptions, model: ModelOptions, training: TrainOptions, seed: int
) -> ForecasterSpec:
    """All that it takes to build a network of this series again."""
    return ForecasterSpec(
        model=model,
        training=training,
        seed=seed,
        features=1 + len(series.lags),
        lookback=series.lookback,
        horizon=series.horizon,
    )


def predict(
    weights: dict[str, Tensor],
    card: ForecasterSpec,
    values: npt.NDArray[np.float32],
    first: npt.NDArray[np.int64],
    series: SeriesOptions,
) -> npt.NDArray[np.float64]:
    """Forecast from windows that start at `first` (C,), on the network's scale: (C, K)."""
    data = torch.from_numpy(values)
    with deterministic(card.seed, card.training.threads), torch.no_grad():
        net = _restored(weights, card)
        parts = [
            net(gather(data, part, series)[0])[:, :, 0].T
            for part in torch.from_numpy(first).split(PREDICT_BATCH)
        ]
    return torch.cat(parts).double().numpy()


def look_inside(
    weights: dict[str, Tensor],
    card: ForecasterSpec,
    values: npt.NDArray[np.float32],
    first: int,
    series: SeriesOptions,
) -> pd.DataFrame:
    """Every gate, state and attention weight of the last layer while one window is read.

    Args:
        weights: as `fit_forecaster` returns them.
        card: the options that stand beside them.
        values: (N,) float32, scaled.
        first: first row of the window.
        series: lags, lookback and horizon.

    Returns:
        `name` (`input`, a gate's or state's letter in the cell's equations, `attention`), `unit`
        (of the input: the feature; of attention: the head), `step` (0 is the last observation) and
        `value`.
    """
    window, _ = gather(torch.from_numpy(values), torch.tensor([first]), series)
    with deterministic(card.seed, card.training.threads), torch.no_grad():
        net = _restored(weights, card)
        inside = {"input": window.target} | net.look_inside(window)
    frames = []
    for name, tensor in inside.items():
        steps, _, units = tensor.shape
        every = 1 if name == "input" else card.model.segment
        frames.append(
            pd.DataFrame(
                {
                    "name": name,
                    "unit": np.tile(np.arange(units), steps),
                    "step": np.repeat((np.arange(steps) - steps + 1) * every, units),
                    "value": tensor[:, 0].flatten().numpy(),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _restored(weights: dict[str, Tensor], card: ForecasterSpec) -> Forecaster:
    """Build the network; draws weights that are thrown away, so only within `deterministic`."""
    net = Forecaster(
        card.model,
        Inputs(card.features),
        card.lookback,
        card.horizon,
    )
    net.load_state_dict(weights)
    return net.eval()
