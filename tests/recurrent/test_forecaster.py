"""The forecaster: whatever its options, every step depends on the last observation alone of all."""

import copy
import pickle
from pathlib import Path

import onnxruntime
import pytest
import torch
import yaml

from unrolled.recurrent.batch import Batch, Inputs
from unrolled.recurrent.forecaster import Forecaster, parameter_count
from unrolled.recurrent.heads import Head
from unrolled.recurrent.options import ModelOptions
from unrolled.recurrent.segments import to_segments
from unrolled.recurrent.weights import copy_weights

FILE = Path(__file__).parents[2] / "conf/base/parameters/variants.yml"
ENTRIES = yaml.safe_load(FILE.read_text())["variant_options"]
VARIANTS = {
    name: ModelOptions(**{**ENTRIES["defaults"], **(entry or {}), "hidden": 8})
    for name, entry in ENTRIES.items()
    if name != "defaults"
}
LOOKBACK, HORIZON, FEATURES, BATCH = 13, 6, 2, 3


def forecaster(name: str, lookback: int = LOOKBACK, **changes: object) -> Forecaster:
    torch.manual_seed(0)
    options = VARIANTS[name].model_copy(update=changes)
    return Forecaster(options, Inputs(FEATURES), lookback, HORIZON).eval()


def ask(net: Forecaster, window: torch.Tensor) -> torch.Tensor:
    return net(Batch(window))[:, :, 0]


class OfTarget(torch.nn.Module):
    def __init__(self, net: Forecaster) -> None:
        super().__init__()
        self.net = net

    def forward(self, window: torch.Tensor) -> torch.Tensor:
        return ask(self.net, window)


@pytest.fixture
def window() -> torch.Tensor:
    return torch.randn(LOOKBACK, BATCH, FEATURES, generator=torch.Generator().manual_seed(1))


def test_the_variants_of_the_tutorial_are_all_there():
    assert set(VARIANTS) >= {
        "manual_rnn", "manual_lstm", "manual_gru", "rnn", "relu_rnn", "lstm", "gru", "bi_rnn",
        "bi_lstm", "bi_gru", "deep_rnn", "deep_lstm", "deep_gru", "residual_gru", "attention_gru",
        "attention_lstm", "min_gru", "min_lstm", "segment_gru",
    }  # fmt: skip


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("normalisation", ["none", "last", "last_std", "mean_std"])
def test_changing_the_last_observation_changes_every_step(name, normalisation, window):
    net = forecaster(name, window_normalisation=normalisation)
    before = ask(net, window)
    assert before.shape == (HORIZON, BATCH)
    window[-1, :, 0] += 0.5
    assert (ask(net, window) != before).all()


@pytest.mark.parametrize("name", ["bi_rnn", "bi_lstm", "bi_gru"])
def test_each_direction_is_read_where_it_has_read_the_whole_window(name, window):
    net = forecaster(name)
    outputs, (h, *_) = net.layer(window)
    assert torch.equal(net._last(outputs), torch.cat([h[-2], h[-1]], dim=1))


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_copies_pickles_and_moves_to_another_dtype(name, window):
    net = forecaster(name)
    expected = ask(net, window)
    assert torch.equal(ask(copy.deepcopy(net), window), expected)
    assert torch.equal(ask(pickle.loads(pickle.dumps(net)), window), expected)
    double = ask(net.double(), window.double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", VARIANTS)
def test_adding_a_level_shifts_the_forecast_where_windows_are_normalised(name, window):
    net = forecaster(name)
    shifted = window + 7.0  # all features: lags are of the same series
    torch.testing.assert_close(ask(net, shifted), ask(net, window) + 7.0, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("normalisation", ["last_std", "mean_std"])
def test_a_change_of_unit_scales_the_forecast_where_windows_are_scaled(name, normalisation, window):
    net = forecaster(name, window_normalisation=normalisation)
    torch.testing.assert_close(ask(net, 5 * window), 5 * ask(net, window), atol=1e-4, rtol=1e-4)


def test_by_hand_and_by_library_forecast_the_same_with_the_same_weights(window):
    for cell in ("rnn", "lstm", "gru"):
        library, hand = forecaster(cell), forecaster(cell, manual=True)
        torch.manual_seed(2)
        for parameter in library.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        copy_weights(library.layer, hand.layer)
        hand.head.load_state_dict(library.head.state_dict())
        torch.testing.assert_close(ask(hand, window), ask(library, window), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", VARIANTS)
def test_looking_inside_names_every_gate_and_state_and_attention_sums_to_one(name, window):
    net = forecaster(name)
    inside = net.look_inside(Batch(window))
    steps = -(-LOOKBACK // net.options.segment)
    assert {tensor.shape[0] for tensor in inside.values()} == {steps}
    assert ("attention" in inside) == (net.options.attention != "none")
    if "attention" in inside:
        torch.testing.assert_close(inside["attention"].sum(0), torch.ones(BATCH, net.options.heads))
    if not (net.options.bidirectional or net.options.residual):
        level = window[-1, :, 0]  # what "last" subtracts
        outputs, _ = net.layer(to_segments(window - level[:, None], net.options.segment))
        torch.testing.assert_close(inside["h"], outputs)


# torch's own layers: flattened weights, which export takes for forgotten buffers.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The tensor attributes")
# Of the kinds that `tests/serving/test_graphs.py` does not export.
@pytest.mark.slow
@pytest.mark.parametrize("name", ["manual_gru", "residual_gru", "attention_lstm", "bi_rnn"])
def test_a_variant_exports_for_any_batch_and_runs_in_onnx_runtime(name, window, tmp_path):
    window = window[-5:]  # two segments; the exporter unrolls every step
    net = forecaster(name, lookback=len(window))
    shapes = ({1: torch.export.Dim("batch")},)
    program = torch.export.export(OfTarget(net), (window,), dynamic_shapes=shapes)
    more = torch.cat([window, 2 * window], dim=1)
    expected = ask(net, more)
    torch.testing.assert_close(program.module()(more), expected, atol=1e-6, rtol=1e-6)
    path = tmp_path / "forecaster.onnx"
    torch.onnx.export(program, (), path, dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(path)
    (found,) = session.run(None, {session.get_inputs()[0].name: more.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), expected, atol=1e-5, rtol=1e-5)


def test_parameters_are_those_of_the_layer_and_the_head():
    layer = 4 * 8 * (FEATURES + 8 + 2)
    assert parameter_count(forecaster("lstm")) == layer + 8 * HORIZON + HORIZON


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"attention": "scaled_dot_product", "heads": 3, "hidden": 8},
            "3 heads do not divide the 8 outputs (hidden, times 2 if bidirectional); change one of"
            " them",
        ),
        (
            {"heads": 2},
            "heads 2 are of attention scaled_dot_product, but attention is none; set heads to 1",
        ),
        (
            {"decoder": "segments", "bidirectional": True},
            "decoder segments goes on from the last state alone; set bidirectional to false and"
            " attention to none",
        ),
    ],
)
def test_options_that_cannot_be_are_refused_with_a_sentence(options, sentence):
    with pytest.raises(ValueError, match="Value error") as caught:
        ModelOptions(**options)
    assert caught.value.errors()[0]["msg"] == f"Value error, {sentence}"


# --- other inputs than the target ---

ALL = Inputs(target=2, past=3, observed=True, future=2, static=4)


def whole_batch() -> Batch:
    generator = torch.Generator().manual_seed(2)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    return Batch(
        draw(LOOKBACK, BATCH, 2),
        draw(LOOKBACK, BATCH, 3),
        draw(LOOKBACK, BATCH) > -1,
        draw(HORIZON, BATCH, 2),
        draw(BATCH, 4),
    )


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "min_gru"])
@pytest.mark.parametrize(
    "more", [{}, {"attention": "last_state"}, {"bidirectional": True}, {"segment": 4}]
)
def test_every_kind_of_input_is_read_and_the_level_is_of_the_target_alone(cell, more):
    torch.manual_seed(0)
    options = ModelOptions(cell=cell, hidden=5, window_normalisation="last_std", **more)
    net = Forecaster(options, ALL, LOOKBACK, HORIZON).eval()
    batch = whole_batch()
    forecast = net(batch)
    assert forecast.shape == (HORIZON, BATCH, 1)
    for kind in ("target", "past", "future", "static"):
        changed = batch._replace(**{kind: getattr(batch, kind) + 0.5})
        if kind != "target":
            assert (net(changed) != forecast).all()
    assert (net(batch._replace(observed=~batch.observed)) != forecast).all()
    moved = net(batch._replace(target=3 * batch.target + 7))
    torch.testing.assert_close(moved, 3 * forecast + 7, atol=1e-4, rtol=1e-4)


def test_an_example_is_what_the_network_reads():
    net = Forecaster(ModelOptions(hidden=3), ALL, LOOKBACK, HORIZON).eval()
    shapes = [(one.shape, one.dtype) for one in net.example(4)]
    assert shapes == [
        ((LOOKBACK, 4, 2), torch.float32),
        ((LOOKBACK, 4, 3), torch.float32),
        ((LOOKBACK, 4), torch.bool),
        ((HORIZON, 4, 2), torch.float32),
        ((4, 4), torch.float32),
    ]
    assert net(net.example(4)).shape == (HORIZON, 4, 1)
    assert Forecaster(ModelOptions(hidden=3), Inputs(), 5, 2).example(1)[1:] == (None,) * 4


def test_segments_do_not_read_what_is_known_ahead():
    options = ModelOptions(hidden=3, decoder="segments", segment=2)
    sentence = (
        "decoder segments reads nothing that is known ahead, but inputs.future is 2; set decoder to"
        " direct"
    )
    with pytest.raises(ValueError, match=sentence):
        Forecaster(options, Inputs(future=2), 8, 4)


@pytest.mark.parametrize("decoder", ["direct", "segments"])
def test_a_head_of_several_numbers_a_step_gives_them_all(decoder):
    head = Head(("low", "high"), lambda forecast, y: (forecast - y[..., None]).abs().mean())
    torch.manual_seed(0)
    options = ModelOptions(hidden=3, decoder=decoder, highway=True)
    net = Forecaster(options, Inputs(), 8, 5, head).eval()
    forecast = net(Batch(torch.randn(8, 2, 1)))
    assert forecast.shape == (5, 2, 2)
    assert (forecast[..., 0] != forecast[..., 1]).all()
    head.loss(forecast, torch.zeros(5, 2)).backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
