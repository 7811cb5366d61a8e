"""Pictures of the text job."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from unrolled.comparison.looks import Rows, look
from unrolled.pipelines.charts import Chart, Line, Map
from unrolled.pipelines.pictures import (
    Passage,
    Pictures,
    coloured_text,
    draw,
    leaderboard_bars,
    learning_curves,
    visible,
)


def plot_learning_curves(curves: pd.DataFrame, protocol: str, rows: Rows) -> Pictures:
    """Validation and training loss of every variant by chunks trained on."""
    return learning_curves(curves, protocol, rows, "chunks trained on", "nats a character")


def plot_leaderboard(leaderboard: pd.DataFrame, protocol: str, rows: Rows) -> Pictures:
    """Bits per character of every row."""
    return leaderboard_bars(leaderboard, protocol, rows, "bits_per_char", "bits per character")


def plot_loss_by_context(
    loss_by_context: pd.DataFrame, leaderboard: pd.DataFrame, protocol: str, rows: Rows
) -> Pictures:
    """Loss by how much was read before: a model without memory gains nothing after its order."""
    means = loss_by_context.groupby(["variant", "context"])["nats_per_char"].mean()
    lines = [
        Line(means[name].index, means[name], name, look(name, rows))
        for name in leaderboard["variant"]
    ]
    chart = Chart("characters read, at least", "nats a character", lines, log="x")
    return draw("Loss by characters read before", protocol, [chart])


def plot_losses(passage: pd.DataFrame, variant: str, protocol: str) -> Pictures:
    """Held-out text, each character on the colour of its loss."""
    text = Passage("", passage["symbol"].tolist(), passage["loss"].to_numpy())
    title = f"Loss of each character, {variant}"
    return coloured_text([text], title, protocol, "nats", signed=False)


def plot_connectivity(connectivity: pd.DataFrame, variant: str, protocol: str) -> Pictures:
    """What the network looked at: a row for each character that came, a column for each read."""
    table = connectivity.pivot_table(index="asked", columns="read", values="norm")
    # Norms differ by powers of ten.
    shown = np.log10(table.to_numpy(float).clip(min=1e-12))
    highest = float(np.nanmax(shown, initial=-12.0))
    lowest = max(float(np.nanmin(shown, initial=0.0)), highest - 4)
    read, asked = (
        [visible(symbol) for symbol in connectivity.groupby(axis)[f"{axis}_symbol"].first()]
        for axis in ("read", "asked")
    )
    read = [symbol or "▷" for symbol in read]  # the start of a document
    norms = Map(shown, "magma_r", lowest, highest, "log10 of |d logit / d x|")
    chart = Chart(
        "character read: how much it moves",
        "the logit of the character that came",
        [norms],
        x_names=read,
        y_names=asked,
    )
    size = max(5.0, 0.1 * len(table) + 1.5)
    return draw(f"Connectivity, {variant}", protocol, [chart], size=(size + 1.5, size))


def plot_units(
    units: pd.DataFrame, unit_passages: pd.DataFrame, variant: str, protocol: str
) -> Pictures:
    """For each feature of the text the unit that follows it best, over held-out text."""
    worth = units.drop_duplicates("feature").set_index("feature")["correlation"]
    passages = [
        Passage(
            f"{feature}: {own['state'].iloc[0]}, unit {own['unit'].iloc[0]}, correlation"
            f" {worth[feature]:.2f}",
            own["symbol"].tolist(),
            # The cell of an LSTM counts to any height, other states end at 1.
            own["value"].to_numpy(float) / max(own["value"].abs().max(), 1e-12),
        )
        for feature, own in unit_passages.groupby("feature", sort=False)
    ] or [Passage("no feature of the text changes in the test part", [], np.empty(0))]
    return coloured_text(
        passages,
        f"Units that follow the text, {variant}",
        protocol,
        "state, of its largest here",
        signed=True,
        rows=12,
    )


def describe_samples(samples: list[dict[str, Any]], protocol: str) -> str:
    """What every variant wrote, as Markdown, with what of it is new."""
    table = pd.DataFrame(samples)
    table["copied"] = table["longest_copied_run"].str.len()
    lines = ["# Samples", "", protocol, ""]
    for variant, own in table.groupby("variant", sort=False):
        lines += [f"## {variant}", "", *_novelty(own), ""]
        for temperature, rows in own.groupby("temperature", sort=False):
            lines += [f"### Temperature {temperature:g}", ""]
            for row in rows.itertuples():
                # Indented: nothing that was written can end such a block.
                text = f"[{row.prompt}]{row.text}"
                lines += [*(f"    {line}" for line in text.split("\n")), ""]
                lines += [f"{row.copied} characters of it at most stand in train in one piece.", ""]
    return "\n".join(lines)


def _novelty(samples: pd.DataFrame) -> list[str]:
    """A table of one variant's samples by temperature."""
    heads = ["temperature", "longest copied run", "new 10-grams"]
    rows = samples.groupby("temperature", sort=False).agg(
        {"copied": "max", "new_10grams": "mean", "form_share": "first"}
    )
    formed = bool(rows["form_share"].notna().any())
    heads += ["documents that keep the form"] if formed else []
    lines = [f"| {' | '.join(heads)} |", f"| {' | '.join('--:' for _ in heads)} |"]
    for temperature, row in rows.iterrows():
        new = row["new_10grams"]
        cells = [f"{temperature:g}", f"{row['copied']:.0f}", "-" if np.isnan(new) else f"{new:.0%}"]
        cells += [f"{row['form_share']:.0%}"] if formed else []
        lines.append(f"| {' | '.join(cells)} |")
    return lines
