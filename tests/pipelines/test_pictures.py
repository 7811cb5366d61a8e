"""Pictures show every character, or a mark in its place, and never a box."""

import io
import warnings

import numpy as np
import pandas as pd
import pytest

from unrolled.pipelines.charts import Chart
from unrolled.pipelines.pictures import Passage, coloured_text, draw, leaderboard_bars, visible
from unrolled.pipelines.text import report

PROTOCOL = "唐诗: 36 characters, 한글, かな"
POEM = "床前明月光，疑是地上霜。"


def saved(figure) -> bytes:
    """Draw, with matplotlib's warning of a missing glyph as an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(file := io.BytesIO(), format="png")
    return file.getvalue()


def test_chinese_shows_in_titles_labels_and_names():
    board = pd.DataFrame(
        {"variant": ["门控", "gru"], "kind": "recurrent", "bits": [1.0, 2.0], "bits_std": 0.1}
    )
    rows = {"recurrent": ["门控", "gru"]}
    saved(leaderboard_bars(board, PROTOCOL, rows, "bits", "比特")[0])


def test_the_check_would_see_a_box():
    figure, _ = draw("\U00020734", "", [Chart("", "", [])])
    with pytest.raises(UserWarning, match="Glyph 132916"):
        saved(figure)


def test_characters_without_a_glyph_have_a_mark_in_their_place():
    symbols = [*POEM, "\U00020734", "\t", "👩", "\x00", "\ufffd", "\n", "", "$", "$"]
    passage = Passage("title", symbols, np.arange(len(symbols), dtype=float))
    figure, interactive = coloured_text([passage], "题", PROTOCOL, "nats", signed=False)
    saved(figure)
    shown = "".join(interactive.data[0]["text"].flatten())
    assert shown == POEM + "〓→〓〓�↵" + "$$"


def test_rows_end_with_lines_and_at_the_edge_and_after_so_many():
    passage = Passage("", list("ab\ncd" + "e" * 100), np.arange(105, dtype=float))
    _, interactive = coloured_text([passage], "", "", "", signed=True, rows=2)
    letters, values = interactive.data[0]["text"], interactive.data[0]["z"]
    assert ["".join(row) for row in letters] == ["ab↵", "cd" + "e" * 70]
    assert np.nanmax(values) == 3 + 71
    assert interactive.data[0]["zmin"] == -interactive.data[0]["zmax"]


def test_a_text_of_nothing_is_drawn():
    for passage in (Passage("none", [], np.empty(0)), Passage("nan", ["a"], np.array([np.nan]))):
        saved(coloured_text([passage], "", "", "", signed=False)[0])


def test_the_pictures_of_a_text_show_its_characters():
    symbols = ["", *POEM, "\n"]
    passage = pd.DataFrame({"symbol": symbols, "loss": [np.nan, *range(13)]})
    read, asked = np.triu_indices(len(POEM))
    connectivity = pd.DataFrame(
        {
            "asked": asked + 1,
            "read": read,
            "asked_symbol": [symbols[i + 1] for i in asked],
            "read_symbol": [symbols[i] for i in read],
            "norm": 0.5 ** (asked - read),
        }
    )
    units = pd.DataFrame({"feature": ["characters of the line"], "correlation": [0.5]})
    passages = pd.DataFrame(
        {"feature": "characters of the line", "state": "layer 1 h", "unit": 3, "symbol": symbols}
    ).assign(value=np.linspace(-1, 1, len(symbols)))
    for figure, _ in (
        report.plot_losses(passage, "门控", PROTOCOL),
        report.plot_connectivity(connectivity, "门控", PROTOCOL),
        report.plot_units(units, passages, "门控", PROTOCOL),
        report.plot_units(units[:0], passages[:0], "门控", PROTOCOL),
    ):
        saved(figure)
    ticks = report.plot_connectivity(connectivity, "gru", "")[0].axes[0].get_yticklabels()
    assert "".join(tick.get_text() for tick in ticks) == POEM


def test_white_space_and_marks_are_shown_as_they_are():
    assert [visible(symbol) for symbol in " a床\n"] == [" ", "a", "床", "↵"]
