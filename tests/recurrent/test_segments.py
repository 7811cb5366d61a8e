import pytest
import torch

from unrolled.recurrent.layer import Recurrent
from unrolled.recurrent.options import LayerOptions
from unrolled.recurrent.segments import SegmentDecoder, to_segments

T, B, H, P, K = 24, 3, 8, 4, 10


def forecaster(**options):
    """SegRNN: segments, embedded, through the layer; the same layer decodes."""
    torch.manual_seed(0)
    layer = Recurrent(LayerOptions(hidden=H, **options), H).double()
    embedding = torch.nn.Linear(P, H).double()
    decoder = SegmentDecoder(H, layer.options.outputs, P, K).double()

    def forecast(x):
        _, state = layer(embedding(to_segments(x, P)).relu())
        return decoder(layer, state)

    return forecast, layer, decoder


def test_segments_hold_steps_in_order():
    x = torch.arange(float(T * B * 2)).reshape(T, B, 2)
    segments = to_segments(x, P)
    assert segments.shape == (T // P, B, P * 2)
    for s in range(T // P):
        for b in range(B):
            assert torch.equal(segments[s, b], x[s * P : (s + 1) * P, b].flatten())


def test_segments_that_are_not_filled_begin_with_zeros_and_end_with_the_last_step():
    x = torch.arange(1.0, 11.0).reshape(10, 1, 1)
    segments = to_segments(x, 4).squeeze(1)
    assert segments.tolist() == [[0, 0, 1, 2], [3, 4, 5, 6], [7, 8, 9, 10]]


@pytest.mark.parametrize(
    "options",
    [
        {"cell": "gru"},
        {"cell": "lstm", "layers": 2},
        {"cell": "gru", "manual": True, "reset_after": False},
        {"cell": "min_gru"},
        {"cell": "rnn", "bidirectional": True},
    ],
)
def test_parallel_decoding_equals_one_segment_and_one_window_at_a_time(options):
    _, layer, decoder = forecaster(**options)
    _, state = layer(torch.randn(5, B, H).double())
    found = decoder(layer, state)[..., 0]
    assert found.shape == (K, B)
    for b in range(B):
        alone = tuple(s[:, b : b + 1].contiguous() for s in state)
        steps = []
        for position in decoder.positions:
            outputs, _ = layer(position[None, None], alone)
            steps.append(decoder.head(outputs[0, 0]))
        torch.testing.assert_close(found[:, b], torch.cat(steps)[:K], atol=1e-12, rtol=0)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "min_gru", "min_lstm"])
def test_changing_the_last_observation_changes_every_step(cell):
    forecast, _, _ = forecaster(cell=cell)
    x = torch.randn(T, B, 1).double()
    other = x.clone()
    other[-1] += 1
    assert (forecast(x) != forecast(other)).all()
