"""Products of Jacobians against their bounds and against plain products."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.gradients import theory
from unrolled.gradients.theory import bands, matrix_products, scalar_products


@settings(max_examples=20)
@given(weight=st.floats(0.1, 2).flatmap(lambda w: st.sampled_from([w, -w])), seed=st.integers(0, 9))
def test_a_scalar_network_never_carries_more_than_w_to_the_k(weight, seed):
    table = scalar_products([weight], lags=40, draws=5, seed=seed)
    assert (table.log10_gradient <= table.log10_bound + 1e-9).all()
    assert np.allclose(table.log10_bound, table.lag * np.log10(abs(weight)))


def test_a_small_scalar_weight_lies_near_its_line_and_a_large_one_saturates():
    table = scalar_products([0.5, 1.5], lags=100, draws=30, seed=0)
    last = bands(table, "weight", "log10_gradient").query("lag == 100").set_index("weight")
    assert last["median"][0.5] == pytest.approx(last.log10_bound[0.5], rel=0.05)
    assert last["median"][1.5] < 0 < last.log10_bound[1.5]


def test_the_scalar_gradient_is_the_product_of_the_last_slopes(monkeypatch):
    monkeypatch.setattr(theory, "BURN_IN", 0)
    w, lags = 0.9, 6
    inputs = 0.1 * np.random.default_rng(3).standard_normal(lags)
    h, slopes = 0.0, []
    for x in inputs:
        h = np.tanh(w * h + x)
        slopes.append(w * (1 - h**2))
    table = scalar_products([w], lags=lags, draws=1, seed=3)
    expected = [np.prod(slopes[lags - k :]) for k in range(lags + 1)]
    assert np.allclose(10**table.log10_gradient, expected)


@pytest.mark.parametrize("radius", [0.5, 1.0, 1.5])
def test_a_linear_network_keeps_within_gamma_rho_to_the_k_and_falls_like_it(radius):
    table = matrix_products([radius], 200, 5, seed=1, hidden=16, activation="linear")
    assert (table.log10_norm <= table.log10_bound + 1e-6).all()
    # The spectral radius is a floor of the norm (Gelfand), so both ends are held.
    assert (table.log10_norm >= table.lag * np.log10(radius) - 1e-6).all()


def test_nothing_under_or_overflows_over_a_thousand_steps():
    table = matrix_products([0.5, 1.5], 1000, 2, seed=0, hidden=8, activation="linear")
    last = table[table.lag == 1000].groupby("radius").log10_norm.median()
    assert last[0.5] == pytest.approx(1000 * np.log10(0.5), abs=2)
    assert last[1.5] == pytest.approx(1000 * np.log10(1.5), abs=2)


def test_the_tanh_network_vanishes_below_one_and_is_held_by_saturation_above():
    table = matrix_products([0.5, 1.5], 100, 20, seed=0)
    last = bands(table, "radius", "log10_norm").query("lag == 100").set_index("radius")
    assert last["median"][0.5] < -28
    assert last["median"][1.5] < last.log10_bound[1.5] - 10
    assert (last.low <= last["median"]).all()
    assert (last["median"] <= last.high).all()


def test_the_same_seed_gives_the_same_table():
    first, again = (matrix_products([0.9], 10, 3, seed=4, hidden=8) for _ in range(2))
    assert first.equals(again)
    assert list(first) == ["lag", "radius", "draw", "log10_norm", "log10_bound"]
