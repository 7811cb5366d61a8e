"""The page for learners says what is so."""

from pathlib import Path

import pytest
import torch

from unrolled.recurrent import tutorial
from unrolled.recurrent.cells.classic import RNNCell


def test_back_propagation_by_hand_is_that_of_autograd():
    torch.manual_seed(1)
    cell, x, g = RNNCell(3, 4).double(), torch.randn(12, 5, 3).double(), torch.randn(5, 4).double()
    hand, auto = tutorial.backward_by_hand(cell, x, g), tutorial.backward_by_autograd(cell, x, g)
    assert set(hand) == {"weight_ih", "weight_hh", "bias_ih", "bias_hh"}
    for name, gradient in auto.items():
        torch.testing.assert_close(hand[name], gradient, rtol=1e-12, atol=1e-12)


def test_both_networks_learn_more_than_the_simplest_rule():
    torch.manual_seed(0)
    network, last = tutorial.learn_a_sine(steps=60)
    assert network < last / 3
    network, unigram = tutorial.learn_a_text("abcabcabd" * 30, epochs=4)
    assert network < unigram


def test_it_is_one_page():
    assert len(Path(tutorial.__file__).read_text().splitlines()) < 150


@pytest.mark.slow
def test_it_runs_as_it_says(capsys):
    import runpy

    runpy.run_module("unrolled.recurrent.tutorial", run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "by hand and by autograd",
        "sine, error of the network and of the last value",
        "this very file, bits of the network and of the unigram",
    ]
