"""Transforms: there and back, against scipy, the same for numpy and torch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from unrolled.series.transforms import TRANSFORMS

VALUES = {"": (-50.0, 1e6), "from 0": (0.0, 1e6), "above 0": (1e-3, 1e6)}


@pytest.mark.parametrize("name", list(TRANSFORMS))
@settings(deadline=None)
@given(data=st.data())
def test_what_goes_there_comes_back_and_torch_says_the_same(name, data):
    transform = TRANSFORMS[name]
    power = 0.3 if transform.power is None else transform.power
    least, most = VALUES[transform.lowest]
    y = np.array(data.draw(st.lists(st.floats(least, most), min_size=1, max_size=9)))
    with np.errstate(divide="ignore"):
        there = transform.forward(np, y, power)
        back = transform.inverse(np, there, power)
    np.testing.assert_allclose(back, y, rtol=1e-9, atol=1e-9)
    ours, theirs = torch.tensor(y), torch.tensor(power, dtype=torch.float64)
    np.testing.assert_allclose(
        transform.forward(torch, ours, theirs), there, rtol=1e-12, atol=1e-300
    )
    again = transform.inverse(torch, torch.tensor(there), theirs)
    np.testing.assert_allclose(again, back, rtol=1e-12, atol=1e-12)


def test_each_is_that_of_scipy():
    y = np.array([0.01, 0.5, 1.0, 3.0, 400.0])
    for name, power in (("log", 0.0), ("sqrt", 0.5), ("boxcox", 0.3), ("boxcox", 1e-9)):
        np.testing.assert_allclose(
            TRANSFORMS[name].forward(np, y, power), special.boxcox(y, power), rtol=1e-12
        )
    np.testing.assert_allclose(TRANSFORMS["log1p"].forward(np, y, 0.0), special.boxcox1p(y, 0.0))


@pytest.mark.parametrize("name", ["sqrt", "log1p", "boxcox"])
def test_a_forecast_below_the_transform_of_zero_is_zero(name):
    with np.errstate(divide="ignore"):
        assert TRANSFORMS[name].inverse(np, np.array([-7.0]), 0.5).tolist() == [0.0]
