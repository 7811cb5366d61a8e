"""The tasks are what they say, and chance is what a network without memory gets."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.gradients.tasks import TASKS, draw_adding, draw_copy


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(max_examples=30)
@given(length=st.integers(2, 60), seed=st.integers(0, 999))
def test_adding_marks_one_number_in_each_half_and_asks_for_their_sum(length, seed):
    x, y = draw_adding(length, 8, generator(seed))
    assert x.shape == (length, 8, 2)
    assert y.shape == (1, 8, 1)
    numbers, marks = x.unbind(2)
    assert marks[: length // 2].sum(0).eq(1).all()
    assert marks[length // 2 :].sum(0).eq(1).all()
    assert torch.allclose((numbers * marks).sum(0), y[0, :, 0])


@settings(max_examples=30)
@given(length=st.integers(1, 60), seed=st.integers(0, 999))
def test_copy_asks_for_ten_symbols_after_the_pause(length, seed):
    x, y = draw_copy(length, 4, generator(seed))
    assert x.shape == (length + 20, 4, 10)
    assert x.sum(2).eq(1).all()
    read = x.argmax(2)
    assert read[:10].lt(8).all()
    assert y[-10:].equal(read[:10])
    assert y[:-10].eq(8).all()
    assert read[length + 9].eq(9).all()
    assert (read == 9).sum() == 4


def test_the_chance_line_of_adding_is_that_of_always_saying_one():
    _, y = draw_adding(50, 100_000, generator())
    measured = float((y - 1).square().mean())
    assert TASKS["adding"].chance(50) == pytest.approx(measured, rel=0.02)


@pytest.mark.parametrize(("length", "known"), [(100, 0.1733), (200, 0.0945), (1000, 0.0204)])
def test_the_chance_line_of_copy_is_that_of_guessing_the_symbols(length, known):
    chance = TASKS["copy"].chance(length)
    assert chance == pytest.approx(known, abs=5e-5)
    _, y = draw_copy(length, 64, generator())
    # Sure of the blanks, and all eight symbols alike when they are due.
    logits = torch.full((length + 20, 64, 9), -40.0)
    logits[:-10, :, 8] = 40
    logits[-10:, :, :8] = 0
    assert float(TASKS["copy"].loss(logits, y)) == pytest.approx(chance, rel=1e-5)


def test_no_other_constant_guess_beats_chance_by_monte_carlo():
    _, y = draw_copy(5, 20_000, generator())
    shares = torch.bincount(y[-10:].flatten(), minlength=8) / y[-10:].numel()
    entropy = float(-(shares * shares.log()).sum())
    assert entropy == pytest.approx(math.log(8), rel=1e-3)
    assert TASKS["copy"].chance(5) == pytest.approx(10 * entropy / 25, rel=1e-3)


def test_the_same_seed_draws_the_same_batch():
    for task in TASKS.values():
        (x, y), (x_again, y_again) = (task.draw(9, 3, generator(4)) for _ in range(2))
        assert x.equal(x_again)
        assert y.equal(y_again)
        assert x.shape[2] == task.features
