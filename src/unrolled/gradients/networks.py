"""Networks that are looked into: trained on adding, their gradients followed before and after."""

from __future__ import annotations

import numpy as np
import pandas as pd
from torch import Tensor

from unrolled.gradients import flow, remedies
from unrolled.gradients.options import MatrixOptions, NetworkCard, Remedy
from unrolled.gradients.summaries import followed, scores_of
from unrolled.gradients.tasks import TASKS
from unrolled.recurrent.options import LayerOptions
from unrolled.training.loop import deterministic

TASK = "adding"  # on which networks are trained to be looked at
LOOKED_AT = 5  # steps, evenly spread, whose Jacobian is taken
Weights = dict[str, Tensor]
Tables = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]


def train(
    layer: LayerOptions, variant: str, length: int, seeds: list[int], training: MatrixOptions
) -> tuple[Weights, NetworkCard, pd.DataFrame, dict[str, float]]:
    """Train a network on adding with every seed, and follow its gradient before and after.

    Returns:
        Weights of the first seed, untrained and trained; its card; the flow on each state and on the
        inputs, with the column `on` (the state, the one that is followed first; or x); effective
        memory in steps and scores, the median over seeds.
    """
    # Of the unset fields alone, so that chrono and its length stay together.
    remedy = Remedy(
        title=variant, layer=layer.model_dump(exclude_defaults=True) | {"cell": layer.cell}
    )
    weights: Weights = {}
    curves, records = [], []
    for seed in seeds:
        outcome = remedies.train_remedy(variant, remedy, TASK, length, seed, training)
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
    card = NetworkCard(
        variant=variant, layer=layer, length=length, seed=seeds[0], training=training
    )
    frame = pd.concat(curves, ignore_index=True)
    scores = scores_of(records)
    own = followed(frame)
    for trained in (False, True):
        group = own[own["trained"] == trained].groupby("seed")
        memory = [flow.effective_memory(curve) for _, curve in group]
        scores[f"memory_{_word(trained)}"] = float(np.median(memory))
    return weights, card, frame, scores


def look_inside(weights: Weights, card: NetworkCard) -> Tables:
    """Look at a network of the first seed, untrained and trained.

    Returns:
        Gradient of every unit at every lag; eigenvalues of the recurrent weights; singular values
        of the Jacobian of some steps (none where both directions are read); share of the gates that
        are closed or open. Each with the columns `variant, init, trained`.
    """
    layer, length, seed = card.layer, card.length, card.seed
    x, _ = remedies.drawn(TASK, length, seed)
    steps = np.linspace(0, length - 1, LOOKED_AT).astype(int).tolist()
    found: list[list[pd.DataFrame]] = []
    for trained in (False, True):
        own = f"{_word(trained)}."
        with deterministic(seed, card.training.threads):
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
        labels = {"variant": card.variant, "init": layer.init, "trained": trained}
        found.append([table.assign(**labels) for table in tables])
    heat, spectrum, singular, saturated = (
        pd.concat(pair, ignore_index=True) for pair in zip(*found, strict=True)
    )
    return heat, spectrum, singular, saturated


def effective_memory(flows: pd.DataFrame) -> pd.DataFrame:
    """Steps after which the gradient is below a hundredth, `memory`, for each network and seed.

    Returns:
        `variant, init, trained, seed, memory`.
    """
    by = ["variant", "init", "trained", "seed"]
    rows = [(*key, flow.effective_memory(curve)) for key, curve in flows.groupby(by, sort=False)]
    return pd.DataFrame(rows, columns=[*by, "memory"])


def _word(trained: bool) -> str:
    return "trained" if trained else "untrained"
