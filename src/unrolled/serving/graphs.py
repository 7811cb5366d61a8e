"""Champions as ONNX graphs, which need neither torch nor this project to run.

A forecaster's graph holds everything between raw values and forecasts in original units. torch's
exporter turns `nn.GRU` and `nn.LSTM` into ONNX's own operators, and unrolls other cells.

Axis letters: B batch, R raw rows, T time, F features, K horizon steps, S series, L layers, H
hidden, V vocabulary.
"""

from __future__ import annotations

import logging
import warnings
from typing import Any

import pandas as pd
import torch
from onnxscript import ir
from onnxscript.rewriter import RewriteRule, rewrite
from torch import Tensor, nn

from unrolled.recurrent.batch import Batch, Inputs
from unrolled.recurrent.forecaster import Forecaster
from unrolled.recurrent.language_model import LanguageModel
from unrolled.series.options import SEASONS, SeriesOptions
from unrolled.series.transforms import TRANSFORMS
from unrolled.training.cards import ForecasterCard, ForecasterSpec, LanguageSpec, Network, Weights
from unrolled.training.loop import deterministic

RECURRENT = ("GRU", "LSTM")  # operators of ONNX


class RawForecaster(nn.Module):
    """A forecaster with what `series.scaling` and `training.forecasting.gather` do around it.

    All but the network itself is in float64, as there.
    """

    scales: Tensor

    def __init__(self, net: Forecaster, scaler: pd.DataFrame, series: SeriesOptions) -> None:
        """Keep the network and the scales of all series.

        Args:
            net: reads and gives scaled values.
            scaler: one row a series, as `scaling.fit` gives it.
            series: transform, season, lags, lookback and horizon.
        """
        super().__init__()
        self.net, self.series = net, series
        columns = scaler[["power", "mean", "std", "season_rate", "unit"]].to_numpy()
        self.register_buffer("scales", torch.tensor(columns, dtype=torch.float64))  # (S, 5)

    @property
    def rows(self) -> int:
        """R, raw rows that one forecast reads."""
        return self.series.rows

    def forward(self, y: Tensor, series: Tensor) -> Tensor:
        """Forecast.

        Args:
            y: float64 (B, R), original units, oldest first.
            series: int64 (B,), row of each one's series in the scaler.

        Returns:
            float64 (B, K), original units.
        """
        power, mean, std, rate, unit = self.scales[series].split(1, dim=1)  # (B, 1) each
        season, lookback = self.series.season, self.series.lookback
        transform = TRANSFORMS[self.series.transform]
        level = transform.forward(torch, y / unit, power)
        change = level[:, self.series.reach :]
        if self.series.warmup:
            change = change - self._season(level, rate)[:, :-season]
        scaled = ((change - mean) / std).float()
        end = scaled.shape[1]
        features = [
            scaled[:, end - lag - lookback : end - lag] for lag in (0, *self.series.lags)
        ]  # (B, T)
        window = torch.stack(features, dim=2).transpose(0, 1)  # (T, B, F)
        ahead = self.net(Batch(window))[:, :, 0].T.double() * std + mean  # (B, K)
        if self.series.warmup:
            for block in ahead.split(season, dim=1):
                following = self._season(level, rate)[:, -season:]
                level = torch.cat([level, block + following[:, : block.shape[1]]], dim=1)
            ahead = level[:, self.rows :]
        forecast: Tensor = transform.inverse(torch, ahead, power) * unit
        return forecast

    def _season(self, level: Tensor, rate: Tensor) -> Tensor:
        """What is taken off the rows from `reach` on, and off the season ahead, as in `scaling`."""
        season = self.series.season
        if not self.series.es:
            return level
        total = nn.functional.pad(level.cumsum(dim=1), (1, 0))
        deviation = level[:, season - 1 :] - (total[:, season:] - total[:, :-season]) / season
        ages = range(SEASONS)
        phases = [deviation[:, (SEASONS - 1 - age) * season :] for age in ages]
        count = phases[0].shape[1]
        weights = [(1 - rate) ** age for age in ages]  # (B, 1) each
        past = [weight * phase[:, :count] for weight, phase in zip(weights, phases, strict=True)]
        return torch.stack(past).sum(dim=0) / torch.stack(weights).sum(dim=0)


class MedianForecaster(nn.Module):
    """The median of several forecasters, step by step."""

    def __init__(self, members: list[RawForecaster]) -> None:
        """Keep the forecasters, all of the same series."""
        super().__init__()
        self.members = nn.ModuleList(members)
        self.rows = members[0].rows

    def forward(self, y: Tensor, series: Tensor) -> Tensor:
        """As `RawForecaster.forward`; of an even number the mean of the middle two, as numpy's."""
        every = torch.stack([member(y, series) for member in self.members])  # (S, B, K)
        ordered, middle = every.sort(dim=0).values, len(self.members) // 2
        return (ordered[(len(self.members) - 1) // 2] + ordered[middle]) / 2


class CharacterStep(nn.Module):
    """A language model that reads one symbol of each text, its state as plain tensors."""

    def __init__(self, net: LanguageModel) -> None:
        """Keep the network."""
        super().__init__()
        self.net = net

    def forward(self, ids: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """int64 (B,), states (L, B, H) -> logits (B, V), states (L, B, H)."""
        logits, after = self.net.step(ids, state)
        return logits, *after


def forecaster_graph(
    networks: list[Network[ForecasterCard]],
    scaler: pd.DataFrame,
    series: SeriesOptions,
) -> bytes:
    """One graph from raw values to forecasts in original units.

    Args:
        networks: weights and cards; of several networks the median is forecast.
        scaler: one row a series.
        series: options of the data set.

    Returns:
        ONNX: `y` (B, R) float64 and `series` (B,) int64 -> `y_hat` (B, K) float64, B free.
    """
    card = networks[0].card
    with deterministic(card.seed, card.training.threads):
        members = [_raw(weights, card, scaler, series) for weights, card in networks]
        raw = members[0] if len(members) == 1 else MedianForecaster(members)
        y = torch.linspace(1, 2, 2 * raw.rows, dtype=torch.float64).reshape(2, -1)
        inputs = (y, torch.zeros(2, dtype=torch.int64))
        return _exported(raw.eval(), inputs, ["y", "series"], ["y_hat"])


def _raw(
    weights: Weights, card: ForecasterSpec, scaler: pd.DataFrame, series: SeriesOptions
) -> RawForecaster:
    net = Forecaster(
        card.model,
        Inputs(card.features),
        card.lookback,
        card.horizon,
    )
    net.load_state_dict(weights)
    return RawForecaster(net, scaler, series)


def step_graph(weights: Weights, card: LanguageSpec) -> bytes:
    """One step of a language model.

    Args:
        weights: as `fit_language_model` returns them.
        card: the options that stand beside them.

    Returns:
        ONNX: `ids` (B,) int64 and `state_0` (and `state_1`) (L, B, H) float32 -> `logits` (B, V),
        `after_0` (and `after_1`), B free.
    """
    with deterministic(card.seed, card.training.threads):
        net = _language_model(weights, card)
        state = net.layer.initial_state(2)
        names = [f"state_{number}" for number in range(len(state))]
        after = [f"after_{number}" for number in range(len(state))]
        step = CharacterStep(net).eval()
        ids = torch.zeros(2, dtype=torch.int64)
        return _exported(step, (ids, *state), ["ids", *names], ["logits", *after])


def first_state(weights: Weights, card: LanguageSpec) -> list[Any]:
    """The state before anything is read, each (L, 1, H), as nested lists."""
    with deterministic(card.seed, card.training.threads):
        state = _language_model(weights, card).layer.initial_state(1)
    return [tensor.tolist() for tensor in state]


def _language_model(weights: Weights, card: LanguageSpec) -> LanguageModel:
    net = LanguageModel(card.model, len(weights["embedding.weight"]))
    net.load_state_dict(weights)
    return net.eval()


def _exported(
    module: nn.Module, inputs: tuple[Tensor, ...], names: list[str], outputs: list[str]
) -> bytes:
    # A state (L, B, H) has the batch second, all else first.
    batch = torch.export.Dim("batch")
    axes = [{1: batch} if tensor.dim() == 3 else {0: batch} for tensor in inputs]
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)  # names operators of libraries that are not installed
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of torch's own deprecations on the way
            program = torch.onnx.export(
                module,
                inputs,
                dynamo=True,
                verbose=False,
                input_names=names,
                output_names=outputs,
                dynamic_shapes=_nested(module, axes),
            )
    finally:
        quiet.setLevel(level)
    assert program is not None
    _take_last_state(program.model)
    # Where in our files each operator comes from, by their places on this machine: a third of the file.
    ir.passes.common.ClearMetadataAndDocStringPass()(program.model)
    return program.model_proto.SerializeToString()


def _take_last_state(model: ir.Model) -> None:
    """Read the last step from the operator's state, and let the operator itself start from zeros.

    torch's exporter transposes and reshapes all outputs of a GRU or LSTM to gather the last of
    them, and builds zeros of the batch's size. Both cost as much as a tenth of a forecast.
    """
    for node in model.graph:
        states = range(5, len(node.inputs)) if node.op_type in RECURRENT else ()
        for place in states:
            if _zeros(node.inputs[place]):
                node.replace_input_with(place, None)
    rewrite(model, [RewriteRule(_last_output, _last_state, _is_last)])


def _last_output(op: Any, outputs: Any, shape: Any, index: Any) -> Any:  # noqa: ANN401
    """What is replaced: outputs (T, D, B, H) as (T, B, D * H), and one step of them."""
    return op.Gather(op.Reshape(op.Transpose(outputs), shape), index, axis=0)


def _is_last(_context: object, outputs: ir.Value, index: ir.Value, **_: object) -> bool:
    """Where: the step is the last of one direction, and nothing else reads the outputs."""
    rnn, step = outputs.producer(), index.const_value
    if rnn is None or rnn.op_type not in RECURRENT or step is None or step.numpy() != -1:
        return False
    return rnn.attributes.get_string("direction") != "bidirectional" and len(outputs.uses()) == 1


def _last_state(op: Any, outputs: ir.Value, **_: object) -> Any:  # noqa: ANN401
    """By what: the state after the last step, (1, B, H) as (B, H)."""
    rnn: Any = outputs.producer()
    _, state = op.op(rnn.op_type, *rnn.inputs, **rnn.attributes, _outputs=2)
    return op.Squeeze(state, op.Constant(value_ints=[0]))


def _zeros(value: ir.Value | None) -> bool:
    """Whether a value is cut out of zeros."""
    node = value.producer() if value else None
    if node is not None and node.op_type in ("Slice", "Split"):
        return _zeros(node.inputs[0])
    if node is None or node.op_type != "ConstantOfShape":
        return False
    filled = node.attributes.get_tensor("value")
    return filled is None or not filled.numpy().any()


def _nested(module: nn.Module, axes: list[dict[int, Any]]) -> tuple[Any, ...]:
    """Axes as `forward` takes them: its starred arguments are one tuple."""
    return (axes[0], tuple(axes[1:])) if isinstance(module, CharacterStep) else tuple(axes)
