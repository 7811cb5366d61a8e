"""Nodes of the gradients pipeline; the work is done in the room below."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from unrolled.gradients import theory as jacobians
from unrolled.gradients.options import REMEDIES, MatrixOptions, Remedy, TheoryOptions
from unrolled.recurrent.options import LayerOptions

# torch takes a second to import; only the nodes that train or run a network pay for it.

TASK = "adding"  # on which networks are trained to be looked at
LOOKED_AT = 5  # steps, evenly spread, whose Jacobian is taken
FLOW = ["variant", "init", "trained", "seed", "lag", "gradient_norm"]
Tables = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]


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
) -> tuple[dict[str, Any], dict[str, Any], pd.DataFrame, dict[str, float]]:
    """Train a network on adding with every seed, and follow its gradient before and after.

    Returns:
        Weights of the first seed, untrained and trained; its options; the flow on each state and
        on the inputs, with the column `on` (the state, the one that is followed first; or x); effective memory in steps and scores, the
        median over seeds.
    """
    from unrolled.gradients import flow, remedies

    # Of the unset fields alone, so that chrono and its length stay together.
    own = Remedy(
        title=variant, layer=layer.model_dump(exclude_defaults=True) | {"cell": layer.cell}
    )
    weights: dict[str, Any] = {}
    curves, records = [], []
    for seed in seeds:
        outcome = remedies.train_remedy(variant, own, TASK, length, seed, training)
        records.append(outcome.record)
        for trained, network in ((False, outcome.first), (True, outcome.network)):
            if seed == seeds[0]:
                weights |= {f"{_word(trained)}.{k}": v for k, v in network.state_dict().items()}
            found = remedies.last_step_gradients(network, TASK, length, seed)
            curves += [
                flow.labelled(
                    flow.flow(gradients),
                    variant=variant,
                    init=layer.init,
                    trained=trained,
                    seed=seed,
                ).assign(on=on)
                for on, gradients in found.items()
            ]
    card = {
        "variant": variant,
        "layer": layer.model_dump(),
        "length": length,
        "seed": seeds[0],
        "training": training.model_dump(),
    }
    frame = pd.concat(curves, ignore_index=True)
    followed = _followed(frame)
    scores = _scores(records)
    for trained in (False, True):
        group = followed[followed["trained"] == trained].groupby("seed")
        memory = [flow.effective_memory(curve) for _, curve in group]
        scores[f"memory_{_word(trained)}"] = float(np.median(memory))
    return weights, card, frame, scores


def look_inside(weights: dict[str, Any], card: dict[str, Any]) -> Tables:
    """Look at a network of the first seed, untrained and trained.

    Returns:
        Gradient of every unit at every lag; eigenvalues of the recurrent weights; singular values
        of the Jacobian of some steps (none where both directions are read); share of the gates that are closed or open. Each with the
        columns `variant, init, trained`.
    """
    from unrolled.gradients import flow, remedies
    from unrolled.gradients.tasks import TASKS
    from unrolled.training.loop import deterministic

    layer = LayerOptions.model_validate(card["layer"])
    length, seed = card["length"], card["seed"]
    x, _ = remedies.drawn(TASK, length, seed)
    steps = np.linspace(0, length - 1, LOOKED_AT).astype(int).tolist()
    found: list[list[pd.DataFrame]] = []
    for trained in (False, True):
        own = f"{_word(trained)}."
        with deterministic(seed, card["training"]["threads"]):
            network = remedies.TaskNetwork(layer, TASKS[TASK])
        network.load_state_dict(
            {key.removeprefix(own): v for key, v in weights.items() if key.startswith(own)}
        )
        gradients = remedies.last_step_gradients(network, TASK, length, seed)
        double = network.double().layer
        tables = [
            flow.heat_map(flow.carried(gradients)),
            flow.spectrum(double),
            flow.step_singular_values(double, x, [] if layer.bidirectional else steps),
            flow.saturation(double, x),
        ]
        labels = {"variant": card["variant"], "init": layer.init, "trained": trained}
        found.append([table.assign(**labels) for table in tables])
    heat, spectrum, singular, saturated = (
        pd.concat(pair, ignore_index=True) for pair in zip(*found, strict=True)
    )
    return heat, spectrum, singular, saturated


def train_batch(
    remedy: str, task: str, length: int, seeds: list[int], training: MatrixOptions
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Train one remedy on one task of one length with every seed.

    Returns:
        A record a seed; shares and medians over the seeds.
    """
    from unrolled.gradients import remedies

    records = [remedies.run_cell(remedy, task, length, seed, training) for seed in seeds]
    return pd.DataFrame(records), _scores(records)


def _scores(records: list[dict[str, Any]]) -> dict[str, float]:
    """Shares of solved and diverged runs, medians of the rest."""
    table = pd.DataFrame(records)
    shares = table[["solved", "diverged", "clipped"]].mean()
    medians = table[["steps", "loss", "chance", "gradient_before", "gradient_after"]].median()
    return {str(key): float(value) for key, value in pd.concat([shares, medians]).items()}


def _word(trained: bool) -> str:
    return "trained" if trained else "untrained"


def combine(*frames: pd.DataFrame) -> pd.DataFrame:
    """The frames of all networks, or batches, under one another."""
    return pd.concat(frames, ignore_index=True)


def combine_flows(*flows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Flow on the state of every network that is followed, and flow on all that was measured."""
    every = combine(*flows)
    return _followed(every)[FLOW].reset_index(drop=True), every


def _followed(flows: pd.DataFrame) -> pd.DataFrame:
    """Of every network the flow on what was written first, its cell's first state."""
    return flows[flows["on"] == flows.groupby("variant")["on"].transform("first")]


def effective_memory(flow: pd.DataFrame) -> pd.DataFrame:
    """Steps after which the gradient is below a hundredth, `memory`, for each network and seed.

    Returns:
        `variant, init, trained, seed, memory`.
    """
    from unrolled.gradients.flow import effective_memory as memory

    by = ["variant", "init", "trained", "seed"]
    rows = [(*key, memory(curve)) for key, curve in flow.groupby(by, sort=False)]
    return pd.DataFrame(rows, columns=[*by, "memory"])


def judge(remedies: pd.DataFrame) -> pd.DataFrame:
    """Two sentences for every remedy."""
    from unrolled.gradients.verdicts import verdicts

    return verdicts(remedies)


def summary(remedies: pd.DataFrame) -> pd.DataFrame:
    """One row a remedy, to be read.

    Returns:
        `remedy`, title; for each task and length how many seeds solved it, and in how many steps
        (median of those that did); `diverged`, runs; `gradient_before` and `gradient_after`, at the
        longest lag, relative to lag 0, median.
    """
    longest = remedies["length"].max()
    rows = []
    for remedy, own in remedies.groupby("remedy", sort=False):
        row: dict[str, Any] = {"remedy": REMEDIES[str(remedy)].title}
        for (task, length), cell in own.groupby(["task", "length"]):
            solved = cell.loc[cell["solved"], "steps"]
            after = f" in {solved.median():.0f}" if len(solved) else ""
            row[f"{task} {length}"] = f"{len(solved)} of {len(cell)}{after}"
        row["diverged"] = f"{int(own['diverged'].sum())} of {len(own)}"
        at_longest = own[own["length"] == longest]
        for when in ("before", "after"):
            row[f"gradient_{when}"] = f"{at_longest[f'gradient_{when}'].median():.0e}"
        rows.append(row)
    return pd.DataFrame(rows)


def protocol(remedies: pd.DataFrame, seeds: list[int], training: MatrixOptions) -> str:
    """Say how the numbers of the matrix were measured, in one line."""
    tasks = remedies.drop_duplicates(["task", "length"]).sort_values(["task", "length"])
    marks = {"adding": " (one mark in each half)"}
    lines = "; ".join(
        f"{task} over {', '.join(map(str, group['length']))} steps{marks.get(str(task), '')}"
        for task, group in tasks.groupby("task")
    )
    return (
        f"{lines}; {training.hidden} units, at most {training.steps}"
        f" steps of {training.batch_size} sequences, step size {training.learning_rate:g};"
        f" seeds {', '.join(map(str, seeds))}"
    )
