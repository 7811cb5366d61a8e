"""Products of Jacobians, which are all that happens to a gradient on its way back in time.

dL/dh_{T-k} = (J_T J_{T-1} ... J_{T-k+1})' dL/dh_T, where J_t = diag(slope of the activation) U.

Everything is kept in logarithms and the product renormalised at each step, so that nothing under-
or overflows. Bengio et al. 1994; Pascanu et al. 2013 (arXiv 1211.5063).

>>> table = scalar_products([0.5, 1.5], lags=50, draws=3, seed=0)
>>> last = table[table.lag == 50].groupby("weight")
>>> last.log10_bound.first().round(1).tolist()
[-15.1, 8.8]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

Activation = Literal["linear", "tanh"]

BURN_IN = 50  # steps until the state has forgotten its start
INPUT_STD = 0.1  # small: the slopes stay near 1, so the weights are what is seen


def scalar_products(weights: Sequence[float], lags: int, draws: int, seed: int) -> pd.DataFrame:
    """One unit, h' = tanh(w h + x): the gradient |dh_T / dh_{T-k}| beside the line |w|^k.

    Without the tanh every draw lies on the line; with it every draw lies on or below it, and above
    |w| = 1 the unit saturates instead of exploding.

    Args:
        weights: w of each group of draws.
        lags: the longest lag k.
        draws: sequences x of N(0, 0.1^2) for each weight.
        seed: of the draws.

    Returns:
        `weight`, `draw`, `lag` from 0, `log10_gradient`, `log10_bound` (that of |w|^k).
    """
    generator = np.random.default_rng(seed)
    w = np.asarray(weights, dtype=float)[:, None]  # (W, 1)
    steps = BURN_IN + lags
    h = np.zeros((len(w), draws))
    logs = np.zeros((steps, len(w), draws))  # of each step's slope
    for t in range(steps):
        h = np.tanh(w * h + INPUT_STD * generator.standard_normal(h.shape))
        logs[t] = np.log10(np.abs(w)) + np.log10(1 - h**2)
    backwards = np.cumsum(logs[: -lags - 1 : -1], axis=0)  # (lags, W, draws)
    gradient = np.concatenate([np.zeros_like(backwards[:1]), backwards])
    bound = np.arange(lags + 1)[:, None, None] * np.log10(np.abs(w)) + np.zeros(draws)
    return _long({"lag": np.arange(lags + 1), "weight": w[:, 0], "draw": np.arange(draws)}).assign(
        log10_gradient=gradient.ravel(), log10_bound=bound.ravel()
    )


def matrix_products(
    radii: Sequence[float],
    lags: int,
    draws: int,
    seed: int,
    *,
    hidden: int = 32,
    activation: Activation = "tanh",
) -> pd.DataFrame:
    """Spectral norm of the product of k Jacobians of a random network, beside gamma * rho^k.

    U has entries from N(0, 1), scaled to the spectral radius rho; its eigenvectors V give gamma,
    their condition number. Since U = V D V^-1, ||U^k|| <= gamma rho^k: a bound for the linear
    network, whose slopes are 1. A tanh has slopes up to 1, near 1 while rho is below 1.

    Args:
        radii: rho of each group of draws.
        lags: the longest lag k.
        draws: matrices and sequences of inputs, N(0, 0.1^2) for each unit, for each radius.
        seed: of the draws.
        hidden: H, units.
        activation: linear or tanh.

    Returns:
        `radius`, `draw`, `lag` from 0, `log10_norm`, `log10_bound`.
    """
    generator = np.random.default_rng(seed)
    u = generator.standard_normal((len(radii), draws, hidden, hidden))
    values, vectors = np.linalg.eig(u)
    rho = np.asarray(radii, dtype=float)[:, None]  # (R, 1)
    u *= (rho / np.abs(values).max(-1))[:, :, None, None]
    slopes = _slopes(u, lags, activation, generator)  # (lags, R, draws, H)
    product = np.broadcast_to(np.eye(hidden), u.shape)
    logs = np.zeros((lags + 1, len(radii), draws))
    for k in range(1, lags + 1):
        product = product @ (slopes[-k][..., None] * u)
        norm = np.linalg.svd(product, compute_uv=False)[..., 0]
        logs[k] = logs[k - 1] + np.log10(norm)
        product = product / norm[..., None, None]
    gamma = np.linalg.cond(vectors)  # (R, draws)
    bound = np.log10(gamma) + np.arange(lags + 1)[:, None, None] * np.log10(rho)
    labels = {"lag": np.arange(lags + 1), "radius": rho[:, 0], "draw": np.arange(draws)}
    return _long(labels).assign(log10_norm=logs.ravel(), log10_bound=bound.ravel())


def bands(table: pd.DataFrame, by: str, value: str) -> pd.DataFrame:
    """Median and middle 80 % over the draws, and the median bound.

    Args:
        table: as the functions above give it.
        by: `weight` or `radius`.
        value: `log10_gradient` or `log10_norm`.

    Returns:
        `by`, `lag`, `median`, `low` (10 %), `high` (90 %), `log10_bound`.
    """
    groups = table.groupby([by, "lag"], sort=True)
    return pd.DataFrame(
        {
            "median": groups[value].median(),
            "low": groups[value].quantile(0.1),
            "high": groups[value].quantile(0.9),
            "log10_bound": groups["log10_bound"].median(),
        }
    ).reset_index()


def _slopes(
    u: npt.NDArray[np.float64], lags: int, activation: Activation, generator: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Slopes of the activation over the last steps of a sequence: (lags, R, draws, H)."""
    shape = u.shape[:-1]
    if activation == "linear":
        return np.ones((lags, *shape))
    h = np.zeros(shape)
    slopes = np.zeros((BURN_IN + lags, *shape))
    for t in range(len(slopes)):
        inputs = INPUT_STD * generator.standard_normal(shape)
        h = np.tanh(np.einsum("...ij,...j->...i", u, h) + inputs)
        slopes[t] = 1 - h**2
    return slopes[BURN_IN:]


def _long(labels: dict[str, npt.NDArray[np.generic]]) -> pd.DataFrame:
    """Every combination of the labels, the last changing fastest."""
    return pd.MultiIndex.from_product(list(labels.values()), names=list(labels)).to_frame(
        index=False
    )
