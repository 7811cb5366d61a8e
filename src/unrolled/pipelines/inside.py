"""Looking inside a network: its cell's structure, and what happens in it while a window is read."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import pandas as pd
from kedro.pipeline.preview_contract import ImagePreview

from unrolled.pipelines.pictures import Pictures
from unrolled.recurrent.options import LayerOptions, ModelOptions

# As in `pictures`: torch and matplotlib take seconds, which a graph that is looked at need not wait.
if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:
    Figure = Any


def preview_cell(options: LayerOptions) -> ImagePreview:
    """The cell's diagram for kedro-viz."""
    file = io.BytesIO()
    draw_cell(options).savefig(file, format="svg", metadata={"Date": None})
    return ImagePreview(f"data:image/svg+xml;base64,{base64.b64encode(file.getvalue()).decode()}")


def draw_cell(options: LayerOptions) -> Figure:
    """One step of the cell: states from left to right, layers below, what is read at the bottom."""
    from unrolled.pipelines import cell_drawing

    return cell_drawing.draw_cell(options)


def plot_inside(
    inside: pd.DataFrame, variant: str, options: ModelOptions, protocol: str
) -> Pictures:
    """The window that was read, and every gate, state and attention weight over its steps.

    Args:
        inside: columns `name` (`input`, a gate's or state's letter, `attention`), `unit`, `step`
            (0 is the last observation) and `value`.
        variant: name of the network.
        options: the network's; its cell's equations give gates and states their names.
        protocol: what the run was on.

    Returns:
        PNG's figure and Plotly's; heat maps are units by steps, symmetric about 0 for states.
    """
    from unrolled.pipelines import cell_drawing

    return cell_drawing.plot_inside(inside, variant, options, protocol)
