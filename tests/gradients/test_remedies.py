"""One cell of the matrix: what is trained, what is recorded."""

import math

import pandas as pd
import pytest
import torch
from torch import nn

from unrolled.errors import InputError
from unrolled.gradients.options import REMEDIES, TASK_NAMES, MatrixOptions, Remedy
from unrolled.gradients.remedies import (
    TaskNetwork,
    layer_options,
    plan,
    run_cell,
    train_cell,
)
from unrolled.gradients.tasks import TASKS
from unrolled.training import loop

SMALL = MatrixOptions(hidden=8, batch_size=8, steps=4, evaluate_every=2, evaluation_size=16)
COLUMNS = [
    *("remedy", "task", "length", "seed"),
    *("solved", "diverged", "steps", "loss", "chance", "clipped"),
    *("gradient_before", "gradient_after"),
]


@pytest.mark.parametrize(
    ("remedy", "task"),
    [*((remedy, "adding") for remedy in REMEDIES), *(("none", task) for task in list(TASKS)[1:])],
)
def test_every_remedy_runs_on_every_task_and_gives_one_record(remedy, task):
    record = run_cell(remedy, task, 18, 0, SMALL)
    assert list(record) == COLUMNS
    assert record["steps"] == 4
    assert record["chance"] == TASKS[task].chance(18)
    assert math.isfinite(record["loss"])
    assert record["gradient_before"] > 0


def test_the_same_seed_gives_the_same_record_to_the_bit():
    first, again, other = (run_cell("gru", "adding", 12, seed, SMALL) for seed in (1, 1, 2))
    assert first == again
    assert first["loss"] != other["loss"]


def test_a_cell_is_trained_until_it_is_solved():
    options = MatrixOptions(hidden=16, batch_size=32, steps=400)
    record = run_cell("gru", "adding", 6, 0, options)
    assert record["solved"]
    assert not record["diverged"]
    assert record["loss"] < record["chance"] / 2
    assert record["steps"] < 400
    assert record["steps"] % options.evaluate_every == 0


@pytest.fixture
def wild(monkeypatch):
    """A remedy that kills: each step multiplies the state by about four."""
    layer = {"init": "unscaled_normal", "nonlinearity": "relu"}
    monkeypatch.setitem(REMEDIES, "wild", Remedy(title="Unscaled ReLU", layer=layer))
    return SMALL.model_copy(update={"hidden": 32, "steps": 100})


def test_a_cell_that_is_no_number_is_recorded_and_stops_at_its_next_evaluation(wild):
    record = run_cell("wild", "adding", 200, 0, wild)
    assert math.isnan(record["loss"])
    assert record["diverged"]
    assert not record["solved"]
    assert record["steps"] == 2
    assert pd.DataFrame([record]).shape == (1, len(COLUMNS))


def test_a_cell_that_ends_above_ten_times_chance_is_recorded_as_diverged(wild):
    record = run_cell("wild", "adding", 20, 0, wild.model_copy(update={"steps": 4}))
    assert 10 * record["chance"] < record["loss"] < math.inf
    assert record["diverged"]
    assert not record["solved"]
    assert record["steps"] == 4


def test_the_flow_of_a_cell_is_told_before_and_after_training():
    outcome = train_cell("orthogonal", "copy", 10, 0, SMALL)
    columns = ["variant", "init", "trained", "seed", "lag", "gradient_norm"]
    assert list(outcome.flow) == columns
    assert outcome.flow.variant.unique().tolist() == ["orthogonal"]
    assert outcome.flow.init.unique().tolist() == ["orthogonal"]
    groups = outcome.flow.groupby("trained").gradient_norm
    assert groups.size().tolist() == [30, 30]
    at_lag = outcome.flow[outcome.flow.lag == 9].set_index("trained").gradient_norm
    assert at_lag[False] == outcome.record["gradient_before"]
    assert at_lag[True] == outcome.record["gradient_after"]
    assert at_lag[False] != at_lag[True]


def test_an_unknown_name_is_answered_with_those_that_are_known():
    with pytest.raises(InputError) as error:
        run_cell("prayer", "adding", 10, 0, SMALL)
    assert str(error.value) == f"'prayer' is not known; expected one of {', '.join(REMEDIES)}"
    with pytest.raises(InputError, match="'division' is not known; expected one of adding, copy"):
        run_cell("gru", "division", 10, 0, SMALL)


def test_chrono_remembers_the_length_of_the_task():
    assert layer_options(REMEDIES["lstm_chrono"], 8, 50).longest_lag == 50
    assert layer_options(REMEDIES["lstm_bias_1"], 8, 50).longest_lag is None
    assert layer_options(REMEDIES["none"], 8, 50).cell == "rnn"


def test_clipping_keeps_the_irnn_by_sgd_from_diverging():
    options = MatrixOptions(steps=25)
    without, clipped = (
        run_cell(name, "adding", 100, 0, options)
        for name in ("identity_sgd", "identity_sgd_clipped")
    )
    assert without["diverged"]
    assert not clipped["diverged"]
    assert clipped["clipped"] > 0.5 > without["clipped"] == 0


def loss_gradients(remedy: Remedy) -> tuple[torch.Tensor, torch.Tensor, bool]:
    """All gradients of one large loss as a vector, before and after clipping."""
    torch.manual_seed(0)
    network = TaskNetwork(layer_options(remedy, 8, 20), TASKS["adding"])
    x, y = TASKS["adding"].draw(20, 4, torch.Generator().manual_seed(0))
    (100 * TASKS["adding"].loss(network(x, 1), y)).backward()
    parameters = list(network.parameters())
    before = torch.cat([p.grad.flatten() for p in parameters])
    how = plan(remedy, SMALL, chance=1.0)
    size = loop._clip(parameters, how)
    return (
        before,
        torch.cat([p.grad.flatten() for p in parameters]),
        bool(size > (how.clip or math.inf)),
    )


def test_clipping_by_norm_leaves_the_direction():
    before, after, clipped = loss_gradients(REMEDIES["clip_norm"])
    assert clipped
    assert before.norm() > 1
    assert after.norm().item() == pytest.approx(1, rel=1e-4)
    assert nn.functional.cosine_similarity(before, after, dim=0).item() == pytest.approx(1)


def test_clipping_by_value_changes_the_direction_and_keeps_the_signs():
    before, after, clipped = loss_gradients(REMEDIES["clip_value"])
    assert clipped
    assert after.abs().max().item() == pytest.approx(0.1)
    assert after.sign().equal(before.sign())
    assert nn.functional.cosine_similarity(before, after, dim=0).item() < 0.99


def test_a_remedy_without_clipping_clips_nothing():
    before, after, clipped = loss_gradients(REMEDIES["none"])
    assert not clipped
    assert after.equal(before)


def test_truncation_changes_no_prediction_and_cuts_the_gradient():
    network = TaskNetwork(layer_options(REMEDIES["none"], 8, 20), TASKS["adding"])
    x = torch.randn(20, 3, 2, requires_grad=True)
    whole, cut = network(x, 1), network(x, 1, truncate=16)
    assert torch.allclose(whole, cut)
    (gradient,) = torch.autograd.grad(cut.sum(), x)
    assert gradient[:16].eq(0).all()
    assert gradient[16:].abs().sum() > 0


def test_the_tasks_named_by_the_options_are_those_there_are():
    assert list(TASKS) == list(TASK_NAMES)
