"""Dividing by a unit loses nothing."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from unrolled.series.units import mean, spread, unit

SIZES = st.floats(-300, 300).map(lambda power: 10.0**power)


@given(st.lists(st.integers(-1000, 1000), min_size=1), SIZES)
def test_values_in_their_unit_are_of_order_one_and_come_back_as_they_were(values, size):
    y = size * np.array(values, dtype=float)
    if y.any():
        assert 0.5 <= np.abs(y / unit(y)).max() < 1
        np.testing.assert_array_equal(y / unit(y) * unit(y), y)


@given(st.lists(st.integers(-1000, 1000), min_size=1), SIZES)
def test_mean_and_spread_have_the_unit_of_the_values(values, size):
    y = np.array(values, dtype=float)
    np.testing.assert_allclose(mean(size * y), size * y.mean(), rtol=1e-9, atol=1e-12 * size)
    np.testing.assert_allclose(spread(size * y), size * y.std(), rtol=1e-9, atol=1e-9 * size)


def test_what_is_not_finite_has_no_unit():
    assert unit(np.array([1.0, np.nan])) == unit(np.array([-np.inf])) == unit(np.zeros(2)) == 1
    assert unit(np.array([1.7e308])) < np.inf
