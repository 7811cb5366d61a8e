"""Nodes of the gradients pipeline; the work is done in the room below."""

from __future__ import annotations

from typing import Any

import pandas as pd

from unrolled.gradients import summaries
from unrolled.gradients import theory as jacobians
from unrolled.gradients.options import MatrixOptions, NetworkCard, TheoryOptions
from unrolled.recurrent.options import LayerOptions

# torch takes a second to import; only the nodes that train or run a network pay for it.

FLOW = ["variant", "init", "trained", "seed", "lag", "gradient_norm"]


def scalar_products(theory: TheoryOptions) -> pd.DataFrame:
    """Gradient of a single unit by lag, beside |w|^k."""
    return jacobians.scalar_products(theory.weights, theory.lags, theory.draws, theory.seed)


def matrix_products(theory: TheoryOptions) -> pd.DataFrame:
    """Norm of products of Jacobians of random networks, beside gamma * rho^k."""
    return pd.concat(
        [
            jacobians.matrix_products(
                theory.radii,
                theory.lags,
                theory.draws,
                theory.seed,
                hidden=theory.hidden,
                activation=activation,
            ).assign(activation=activation)
            for activation in ("linear", "tanh")
        ],
        ignore_index=True,
    )


def train_network(
    layer: LayerOptions, variant: str, length: int, seeds: list[int], training: MatrixOptions
) -> tuple[dict[str, Any], NetworkCard, pd.DataFrame, dict[str, float]]:
    """Train a network on adding with every seed, and follow its gradient before and after."""
    from unrolled.gradients import networks

    return networks.train(layer, variant, length, seeds, training)


def look_inside(
    weights: dict[str, Any], card: NetworkCard
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Gradients, eigenvalues, singular values and gates of a network, untrained and trained."""
    from unrolled.gradients import networks

    return networks.look_inside(weights, card)


def train_batch(
    remedy: str, task: str, length: int, seeds: list[int], training: MatrixOptions
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Train one remedy on one task of one length with every seed.

    Returns:
        A record a seed; shares and medians over the seeds.
    """
    from unrolled.gradients import remedies

    records = [remedies.run_cell(remedy, task, length, seed, training) for seed in seeds]
    return pd.DataFrame(records), summaries.scores_of(records)


def combine(*frames: pd.DataFrame) -> pd.DataFrame:
    """The frames of all networks, or batches, under one another."""
    return pd.concat(frames, ignore_index=True)


def combine_flows(*flows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Flow on the state of every network that is followed, and flow on all that was measured."""
    every = combine(*flows)
    return summaries.followed(every)[FLOW].reset_index(drop=True), every


def effective_memory(flow: pd.DataFrame) -> pd.DataFrame:
    """Steps after which the gradient is below a hundredth, for each network and seed."""
    from unrolled.gradients import networks

    return networks.effective_memory(flow)


def judge(remedies: pd.DataFrame) -> pd.DataFrame:
    """Two sentences for every remedy."""
    from unrolled.gradients.verdicts import verdicts

    return verdicts(remedies)
