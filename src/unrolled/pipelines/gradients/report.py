"""Pictures of the gradients job, and its page."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic_core import to_jsonable_python

from unrolled.comparison.looks import COLOURS, Dash, Look, look
from unrolled.gradients import theory
from unrolled.gradients.options import REMEDIES
from unrolled.pipelines.charts import Chart, Dots, Line, Map, Symbol
from unrolled.pipelines.pictures import Pictures, draw
from unrolled.pipelines.reporting import drawn, page_of

# Decades. What is below is lost in float32 anyway, and would flatten what is above.
LOWEST = -20.0
HIGHEST = 20.0  # loss relative to chance
LOST = -2.0  # a hundredth: the effective memory
GUIDE = Look("grey", "dot")
DASHES: list[Dash] = ["solid", "dash", "dot"]
ENDS: dict[str, Symbol] = {"solved": "circle", "not solved": "diamond", "diverged": "x"}
LAG = "lag, steps"
WHEN = {False: "untrained", True: "trained"}


def plot_scalar_products(scalar_products: pd.DataFrame) -> Pictures:
    """The gradient of a single unit, and the line |w|^k that it cannot cross."""
    draws = scalar_products["draw"].nunique()
    lines = _with_bound(scalar_products, "weight", "log10_gradient", "w")
    return draw(
        "One unit: gradient by lag, median and middle 80 %, and |w|^k (dashed)",
        f"h' = tanh(w h + x), x from N(0, 0.1²); {draws} draws for each w",
        [Chart(LAG, "log10 of the gradient", lines, lowest=LOWEST)],
    )


def plot_matrix_products(matrix_products: pd.DataFrame) -> Pictures:
    """Norm of the product of Jacobians, median and middle 80 %, beside its bound."""
    draws = matrix_products["draw"].nunique()
    charts = [
        Chart(
            LAG,
            "log10 of the norm",
            _with_bound(own, "radius", "log10_norm", "rho"),
            title=str(kind),
            lowest=LOWEST,
        )
        for kind, own in matrix_products.groupby("activation", sort=False)
    ]
    return draw(
        "Random networks: median, middle 80 %, and (dashed) the bound gamma * rho^k",
        f"spectral norm of the product of k Jacobians, {draws} draws for each radius",
        charts,
    )


def _with_bound(table: pd.DataFrame, by: str, value: str, symbol: str) -> list[Line]:
    lines = []
    for index, (key, band) in enumerate(theory.bands(table, by, value).groupby(by)):
        own = Look(COLOURS[index % len(COLOURS)])
        edges = (band["low"], band["high"])
        lines += [
            Line(band["lag"], band["median"], f"{symbol} = {key:g}", own, band=edges),
            Line(band["lag"], band["log10_bound"], "", own._replace(dash="dash"), 1.0),
        ]
    return lines


def plot_flow(flow_by_state: pd.DataFrame, protocol: str) -> Pictures:
    """The gradient of the last step's loss by lag, untrained and trained, median over seeds."""
    states = flow_by_state[flow_by_state["on"] != "x"]
    variants, inits = (list(states[name].unique()) for name in ("variant", "init"))
    charts = []
    for trained, title in ((False, "untrained"), (True, "trained on adding")):
        own = states[states["trained"] == trained]
        first = dict(own.groupby("variant")["on"].first())
        lines = []
        for (variant, init, on), group in own.groupby(["variant", "init", "on"], sort=False):
            with np.errstate(divide="ignore"):
                logs = np.log10(group.groupby("lag")["gradient_norm"].median())
            colour = look(str(variant), {"recurrent": variants}).colour
            drawn = Look(colour, DASHES[inits.index(init) % len(DASHES)])
            other = on != first[variant]
            name = f"{variant}, {init}" + (f", its {on}" if other else "")
            lines.append(Line(logs.index, logs, name, drawn, 1.0 if other else 2.2))
        lags = [0, states["lag"].max()]
        lines.append(Line(lags, [LOST, LOST], "a hundredth", GUIDE, 1.2))
        charts.append(Chart(LAG, "log10 of the norm, lag 0 = 0", lines, title, lowest=LOWEST))
    title = (
        "How much of the last step's gradient arrives (median over seeds; thin: as the LSTM's c)"
    )
    return draw(title, protocol, charts)


def plot_inside(
    heat_map: pd.DataFrame,
    spectrum: pd.DataFrame,
    singular_values: pd.DataFrame,
    saturation: pd.DataFrame,
) -> Pictures:
    """Inside one network, untrained above trained: unit by lag, eigenvalues, singular values."""
    variant, init = heat_map["variant"].iloc[0], heat_map["init"].iloc[0]
    lowest = float(heat_map["log10_gradient"].min().clip(LOWEST, -6))
    angle = np.linspace(0, 2 * np.pi, 100)
    circle = Line(np.cos(angle), np.sin(angle), "", Look("grey"), 0.8)
    rows = []
    for trained, when in ((False, "untrained"), (True, "trained on adding")):
        heat, eigen, singular, shares = (
            table[table["trained"] == trained] if len(table) else table
            for table in (heat_map, spectrum, singular_values, saturation)
        )
        image = heat.pivot_table(index="unit", columns="lag", values="log10_gradient")
        gates = eigen.groupby("gate", sort=False) if len(eigen) else ()
        steps = singular.groupby("step") if len(singular) else ()
        said = ", ".join(
            f"{gate} {share:.0%}"
            for gate, share in (shares["closed"] + shares["open"]).groupby(shares["gate"]).mean().items()
        )  # fmt: skip
        norms = Map(image, "magma", lowest, 1.0, "log10 of the gradient")
        values = [
            Dots(own["real"], own["imaginary"], f"U of {gate}", COLOURS[index])
            for index, (gate, own) in enumerate(gates)
        ]
        lines = [
            Line(own["rank"], own["singular_value"], f"step {step}", Look(COLOURS[index]))
            for index, (step, own) in enumerate(steps)
        ]
        one = Line([0, image.shape[0] - 1], [1, 1], "", GUIDE, 1.2)
        rows.append(
            [
                Chart(LAG, "unit", [norms], f"gradient of every unit, {when}"),
                Chart("real part", "imaginary part", [circle, *values], f"eigenvalues of U, {when}", equal=True),
                Chart("rank", "singular value", [one, *lines], f"singular values, {when};\nsaturated: {said or 'no gates'}", lowest=0.0),
            ]
        )  # fmt: skip
    title = f"Inside {variant}, init {init}: above untrained, below trained on adding"
    return draw(title, "one network, the first seed", *rows, size=(13.0, 7.0))


def plot_remedies(remedies: pd.DataFrame, protocol: str) -> Pictures:
    """The matrix: share of seeds that solve each task, and the gradient at its longest lag."""
    titles = _titles(remedies)

    def matrix(value: str, how: Literal["mean", "median", "sum"]) -> pd.DataFrame:
        table = remedies.pivot_table(
            index="remedy", columns=["task", "length"], values=value, aggfunc=how
        )
        return table.reindex(list(titles))

    solved, diverged = matrix("solved", "sum"), matrix("diverged", "sum")
    said = [
        [
            f"{yes:.0f} ({lost:.0f})" if lost else f"{yes:.0f}"
            for yes, lost in zip(*pair, strict=True)
        ]
        for pair in zip(solved.to_numpy(float), diverged.to_numpy(float), strict=True)
    ]
    gradient = np.log10(matrix("gradient_after", "median").clip(lower=10**LOWEST))
    names: dict[str, Any] = {"x_names": _columns(remedies), "y_names": list(titles.values())}
    # Light greens alone: numbers are written on them.
    share = Map(matrix("solved", "mean"), "Greens", 0.0, 1.4, text=np.array(said))
    norm = Map(gradient, "magma", -12.0, 1.0, "log10 of the gradient")
    seeds = remedies["seed"].nunique()
    charts = [
        Chart("", "", [share], f"solved, of {seeds} seeds (in brackets: diverged)", **names),
        Chart("", "", [norm], "gradient at lag T, trained", **names),
    ]
    return draw("What each remedy cures", protocol, charts, size=(12.0, 2.4 + 0.36 * len(titles)))


def plot_losses(remedies: pd.DataFrame, protocol: str) -> Pictures:
    """The last loss of every run beside chance (dashed) and half of it (dotted): solved."""
    titles = _titles(remedies)
    cells = remedies.sort_values(["task", "length"]).groupby(["task", "length"])
    charts = []
    for title, (_, own) in zip(_columns(remedies), cells, strict=True):
        # A loss above, or no number, is drawn at the right edge.
        loss = (own["loss"] / own["chance"]).clip(upper=HIGHEST).fillna(HIGHEST)
        row = own["remedy"].map(list(titles).index)
        ends = np.select([own["diverged"], own["solved"]], ["diverged", "solved"], "not solved")
        edges = [-0.5, len(titles) - 0.5]
        chart: list[Line | Dots] = [
            Line([1, 1], edges, "chance", Look("black", "dash"), 0.9),
            Line([0.5, 0.5], edges, "half of it", Look("black", "dot"), 0.9),
            *(
                Dots(loss[ends == end], row[ends == end], end, COLOURS[index], symbol)
                for index, (end, symbol) in enumerate(ENDS.items())
            ),
        ]
        title += f", chance {own['chance'].iloc[0]:.3g}"
        charts.append(
            Chart("loss / chance", "", chart, title, log="x", y_names=list(titles.values()))
        )
    size = (3.0 + 2.2 * len(charts), 2.2 + 0.3 * len(titles))
    return draw("Loss at the end, every seed", protocol, charts, size=size)


def _titles(remedies: pd.DataFrame) -> dict[str, str]:
    """Titles of the remedies in a table, by name, in the order of `REMEDIES`."""
    found = set(remedies["remedy"])
    return {name: remedy.title for name, remedy in REMEDIES.items() if name in found}


def _columns(remedies: pd.DataFrame) -> list[str]:
    """Task and length of each column of the matrix."""
    cells = remedies.drop_duplicates(["task", "length"]).sort_values(["task", "length"])
    return [f"{task} {length}" for task, length in zip(cells["task"], cells["length"], strict=True)]


def report(
    summary: pd.DataFrame,
    verdicts: pd.DataFrame,
    effective_memory: pd.DataFrame,
    saturation: pd.DataFrame,
    protocol: str,
    environment: dict[str, Any],
    parameters: dict[str, Any],
    **found: Any,
) -> str:
    """The page of the gradients job, which has remedies and no champion.

    Args:
        summary: one row a remedy.
        verdicts: two sentences for each.
        effective_memory: steps, for each network, untrained and trained, and seed.
        saturation: shares of closed and open gates of each network, untrained and trained.
        protocol: what the run was on.
        environment: what made the results.
        parameters: all of the run, resolved.
        found: scores as `{network or batch}.metrics`; pictures as for `report`.
    """
    options = to_jsonable_python(parameters["gradients"])
    when = effective_memory["trained"].map(WHEN)
    memory = effective_memory.assign(when=when).pivot_table(
        index=["variant", "init"], columns="when", values="memory", aggfunc="median", sort=False
    )
    return page_of(
        "gradients/report.html.j2",
        summary=summary,
        verdicts=verdicts,
        memory=memory.reset_index(),
        saturation=saturation.assign(
            network=saturation["variant"] + " " + saturation["init"],
            when=saturation["trained"].map(WHEN),
        )
        .groupby(["network", "when", "gate"], sort=False)[["closed", "open"]]
        .mean()
        .reset_index(),
        scores=pd.DataFrame(
            {"of": name.removesuffix(".metrics").replace(".", " "), **scores}
            for name, scores in found.items()
            if name.endswith(".metrics")
        ),
        protocol=protocol,
        environment=environment,
        options={group: options[group] for group in ("training", "theory")},
        **drawn(found),
    )
