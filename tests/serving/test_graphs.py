"""Exported graphs: from raw values to original units as the networks in torch do it."""

import hashlib
import itertools
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch

from unrolled.recurrent.batch import Inputs
from unrolled.recurrent.description import descriptions
from unrolled.recurrent.forecaster import Forecaster
from unrolled.recurrent.language_model import LanguageModel
from unrolled.recurrent.options import LanguageOptions, ModelOptions
from unrolled.series import scaling, splits
from unrolled.series.options import SeriesOptions
from unrolled.series.windows import sliding
from unrolled.serving import graphs
from unrolled.serving.forecaster import AT_ONCE, ServedForecaster, ServedSeries
from unrolled.training import forecasting
from unrolled.training.cards import LanguageSpec, Network
from unrolled.training.options import TextTrainOptions, TrainOptions

OURS = [name for name, cell in descriptions().items() if not cell.library]


def panel_of(series: int = 2, rows: int = 60) -> pd.DataFrame:
    time = np.arange(rows)
    level = [10 + s + 0.1 * time + np.sin(time + s) for s in range(series)]
    return pd.DataFrame(
        {
            "unique_id": np.repeat([f"s{s}" for s in range(series)], rows),
            "ds": np.tile(pd.date_range("2001-01-01", periods=rows, freq="MS"), series),
            "y": np.concatenate(level),
        }
    )


def network(series: SeriesOptions, seed: int = 0, **model: object) -> Network:
    options = ModelOptions(hidden=6, **model)
    torch.manual_seed(seed)
    net = Forecaster(options, Inputs(1 + len(series.lags)), series.lookback, series.horizon)
    card = forecasting.spec(series, options, TrainOptions(), 0)
    return Network(net.state_dict(), card)


@pytest.mark.slow
def test_that_the_exporter_finds_onnx_operators_of_its_own_and_their_last_state_is_read() -> None:
    series = SeriesOptions(lookback=3, horizon=3)
    panel = panel_of(1)
    scaler = scaling.fit(panel, splits.borders(panel, 10, 10), series)
    for cell in ("gru", "lstm"):
        graph = graphs.forecaster_graph([network(series, cell=cell)], scaler, series)
        nodes = onnx.load_from_string(graph).graph.node
        assert Path(graphs.__file__).name.encode() not in graph  # where it was made
        (own,) = [node for node in nodes if node.op_type == cell.upper()]
        assert len(own.input) == 4  # no state: zeros
        assert [bool(name) for name in own.output] == [False, True]  # all outputs are left out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "model"),
    [
        ({"transform": "boxcox", "lags": (3, 12)}, {"cell": "lstm", "bidirectional": True}),
        (
            {"transform": "log", "season": 5, "seasonal_difference": True, "horizon": 12},
            {"cell": "gru", "layers": 2, "attention": "last_state"},
        ),
        ({}, {"cell": "min_gru", "window_normalisation": "mean_std"}),
        (
            {"transform": "log1p", "season": 5, "es": True, "horizon": 12, "lags": (4,)},
            {"cell": "gru", "window_normalisation": "smoothed"},
        ),
        ({"transform": "sqrt", "season": 6, "es": True}, {"cell": "lstm"}),
        ({"transform": "sqrt"}, {"cell": "rnn"}),
        ({"horizon": 7, "lookback": 8}, {"cell": "gru", "segment": 4, "decoder": "segments"}),
        ({"lookback": 5}, {"cell": "rnn", "manual": True, "highway": True}),
        *(({}, {"cell": name, "bidirectional": True}) for name in OURS),
        ({}, {"cell": "mlstm", "alternate": "slstm", "layers": 3, "cell_heads": 2}),
    ],
)
def test_a_graph_forecasts_from_raw_values_what_torch_does(options: dict, model: dict) -> None:
    series = SeriesOptions(**{"lookback": 4, "horizon": 3, **options})
    panel = panel_of()
    borders = splits.borders(panel, 15, 15)
    scaler = scaling.fit(panel, borders, series)
    values = scaling.apply(panel, borders, scaler, series)
    weights, card = network(series, **model)
    graph = graphs.forecaster_graph([Network(weights, card)], scaler, series)
    session = onnxruntime.InferenceSession(graph)
    y = panel["y"].to_numpy()
    rows = session.get_inputs()[0].shape[1]
    scales = list(scaling.scales(scaler))
    for place, parts in enumerate(splits.each(borders)):
        cutoffs = np.arange(parts.validation_end - 1, parts.end - series.horizon)
        first = cutoffs + 1 - series.context
        ahead = forecasting.predict(weights, card, values, first, series)
        own, places = y[parts.first : parts.end], cutoffs - parts.first
        expected = scaling.invert(ahead, own, places, scales[place], series)
        inputs = {
            "y": sliding(y, rows)[cutoffs - rows + 1],
            "series": np.full(len(cutoffs), place),
        }
        np.testing.assert_allclose(session.run(None, inputs)[0], expected, rtol=1e-5)


@pytest.mark.slow
def test_a_graph_of_several_networks_forecasts_their_median() -> None:
    series = SeriesOptions(lookback=3, horizon=3)
    panel = panel_of()
    scaler = scaling.fit(panel, splits.borders(panel, 10, 10), series)
    networks = [network(series, seed, cell="gru") for seed in range(3)]
    y = sliding(panel["y"].to_numpy()[:60], 3)[:5]
    inputs = {"y": y, "series": np.zeros(5, dtype=np.int64)}
    two, three, *alone = (
        onnxruntime.InferenceSession(graphs.forecaster_graph(some, scaler, series)).run(
            None, inputs
        )[0]
        for some in (networks[:2], networks, *([one] for one in networks))
    )
    assert np.ptp(alone, axis=0).min() > 1e-3
    np.testing.assert_allclose(two, np.median(alone[:2], axis=0), rtol=1e-6)
    np.testing.assert_allclose(three, np.median(alone, axis=0), rtol=1e-6)


def graph_by_hand(rows: int, horizon: int) -> onnx.ModelProto:
    """A line through what is read, above the level of its series; an export takes ten seconds."""
    weights = np.random.default_rng(0).normal(size=(rows, horizon))
    nodes = [
        onnx.helper.make_node("MatMul", ["y", "weights"], ["line"]),
        onnx.helper.make_node("Gather", ["levels", "series"], ["level"]),
        onnx.helper.make_node("Add", ["line", "level"], ["y_hat"]),
    ]
    double, whole = onnx.TensorProto.DOUBLE, onnx.TensorProto.INT64
    graph = onnx.helper.make_graph(
        nodes,
        "by hand",
        [
            onnx.helper.make_tensor_value_info("y", double, ["batch", rows]),
            onnx.helper.make_tensor_value_info("series", whole, ["batch"]),
        ],
        [onnx.helper.make_tensor_value_info("y_hat", double, ["batch", horizon])],
        [
            onnx.numpy_helper.from_array(weights, "weights"),
            onnx.numpy_helper.from_array(np.array([[1.0], [100.0]]), "levels"),
        ],
    )
    opset = onnx.helper.make_opsetid("", 18)
    return onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9)


def test_many_forecasts_at_once_are_those_made_one_by_one(tmp_path: Path) -> None:
    graph = graph_by_hand(rows=8, horizon=3).SerializeToString()
    (tmp_path / "forecaster.onnx").write_bytes(graph)
    about = ServedSeries(
        sha256=hashlib.sha256(graph).hexdigest(), rows=8, lowest="", horizon=3,
        ds="datetime", clock="", series={"s0": "MS", "s1": "MS"},
    )  # fmt: skip
    (tmp_path / "forecaster.json").write_text(about.model_dump_json())
    served = ServedForecaster(tmp_path)
    y = sliding(panel_of()["y"].to_numpy(), 8)[: 2 * AT_ONCE + 3]
    places = np.arange(len(y)) % 2
    found = served.run(y, places)
    assert found.shape == (len(y), 3)
    alone = [served.run(y[i : i + 1], places[i : i + 1]) for i in range(len(y))]
    np.testing.assert_allclose(found, np.concatenate(alone), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"cell": "lstm", "layers": 2},
        {"cell": "gru", "tied": True, "learned_state": True},
        *({"cell": name, "layers": 2, "learned_state": True} for name in OURS),
        {"cell": "mlstm", "alternate": "gru", "layers": 3},
    ],
)
def test_a_step_gives_the_logits_and_states_of_the_whole_sequence(options: dict) -> None:
    own = LanguageOptions(hidden=7, embedding=5, **options)
    torch.manual_seed(0)
    net = LanguageModel(own, 11).eval()
    card = LanguageSpec(model=own, training=TextTrainOptions(), seed=0)
    session = onnxruntime.InferenceSession(graphs.step_graph(net.state_dict(), card))
    names = [value.name for value in session.get_inputs()]
    ids = torch.randint(0, 11, (6, 3))
    first = graphs.first_state(net.state_dict(), card)
    state = [np.repeat(np.float32(start), 3, axis=1) for start in first]
    with torch.no_grad():
        logits, after = net(ids)
    for symbols, expected in itertools.zip_longest(ids, logits):
        inputs = dict(zip(names, [symbols.numpy(), *state], strict=True))
        found, *state = session.run(None, inputs)
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)
    for found, expected in zip(state, after, strict=True):
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)
