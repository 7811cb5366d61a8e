"""The sentence that warns, and what is watched in a training."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from unrolled.gradients.flow import probe
from unrolled.gradients.health import warn, warning, watch
from unrolled.recurrent.layer import Recurrent
from unrolled.recurrent.options import LayerOptions
from unrolled.training.loop import parameters

RNN = LayerOptions(cell="rnn")


def curve(norms) -> pd.DataFrame:
    return pd.DataFrame({"lag": np.arange(len(norms)), "gradient_norm": norms})


def test_a_vanishing_gradient_is_told_with_its_lag_and_a_remedy():
    found = warning(curve(0.63 ** np.arange(96)), RNN)
    assert found == (
        "gradient norm fell below 1e-07 at lag 35 of 96: the first 61 steps are not learned from;"
        " try cell gru, cell lstm with forget_bias 1, or init orthogonal"
    )


def test_an_exploding_gradient_is_told_with_its_size():
    found = warning(curve(1.5 ** np.arange(50)), LayerOptions(cell="gru"))
    assert found == (
        "gradient norm grew 4e+08 times by lag 49 of 50: the first steps drown the last; try init"
        " orthogonal or default"
    )


def test_a_gradient_that_is_no_number_is_told():
    found = warning(curve([1.0, 0.5, np.nan, np.nan]), RNN)
    assert found == (
        "gradient norm is no number at lag 2 of 4: nothing is learned; try a lower learning rate"
    )


def test_a_healthy_gradient_is_not_warned_of():
    assert warning(curve(0.9 ** np.arange(96)), RNN) is None


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"cell": "rnn", "init": "orthogonal"}, "cell gru, or cell lstm with forget_bias 1"),
        ({"cell": "lstm"}, "forget_bias 1, or forget_bias chrono with longest_lag 96"),
        ({"cell": "lstm", "forget_bias": 1.0}, "forget_bias chrono with longest_lag 96"),
        ({"cell": "gru", "init": "unscaled_normal"}, "init default or orthogonal"),
        ({"cell": "gru", "forget_bias": "chrono", "longest_lag": 96}, "a shorter sequence"),
    ],
)
def test_what_to_try_is_not_what_is_there_already(options, advice):
    found = warning(curve(0.63 ** np.arange(96)), LayerOptions(**options))
    assert found is not None
    assert found.endswith(f"; try {advice}")


def test_a_plain_network_over_96_steps_is_warned_of_and_a_chrono_lstm_is_not():
    x = torch.randn(96, 4, 1)
    plain = Recurrent(LayerOptions(cell="rnn", hidden=32), 1)
    found = warning(probe(plain, x), plain.options)
    assert found is not None
    assert "are not learned from" in found
    chrono = LayerOptions(cell="lstm", hidden=32, forget_bias="chrono", longest_lag=96)
    layer = Recurrent(chrono, 1)
    assert warning(probe(layer, x), chrono) is None


class Network(nn.Module):
    """A layer that reads its inputs doubled."""

    def __init__(self, options: LayerOptions) -> None:
        super().__init__()
        self.layer = Recurrent(options, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(2 * x)[0][-1]


def test_what_is_watched_is_counted_by_hand():
    model = Network(LayerOptions(cell="lstm", hidden=4, forget_bias=9.0))
    before = parameters(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 1.001
    curves: list[pd.DataFrame] = []
    x = 0.01 * torch.randn(6, 2, 1)
    torch.manual_seed(1)
    found = watch(curves)(model, x, before)
    assert list(found) == ["update_ratio", "saturated_share", "gradient_at_lag"]
    assert found["update_ratio"] == pytest.approx(1e-3, rel=1e-3)
    assert found["saturated_share"] == 0.25  # the forget gate, one of four
    torch.manual_seed(1)
    expected = probe(model.layer, 2 * x)
    assert found["gradient_at_lag"] == expected["gradient_norm"].iloc[-1]
    assert curves[0].equals(expected)


def test_watching_changes_no_random_number_and_no_gradient():
    model = Network(RNN)
    model(torch.randn(5, 2, 1)).sum().backward()
    state = torch.get_rng_state()
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    with torch.no_grad():
        watch([])(model, torch.ones(5, 2, 1), parameters(model))
    assert torch.get_rng_state().equal(state)
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        assert parameter.grad.equal(gradient)


def test_a_sick_network_is_named_in_the_log(caplog):
    warn("rnn seed 0", [curve(0.9 ** np.arange(9)), curve(0.1 ** np.arange(9))], RNN)
    assert caplog.messages[0].startswith("rnn seed 0: gradient norm fell below 1e-07 at lag 8 of 9")
    warn("rnn seed 0", [curve(0.1 ** np.arange(9)), curve(0.9 ** np.arange(9))], RNN)
    assert len(caplog.messages) == 1


def test_the_parameters_are_a_copy():
    model = nn.Linear(2, 1)
    before = parameters(model)
    with torch.no_grad():
        model.weight.zero_()
    assert before[:2].ne(0).all()
