"""One description, two drawings: the same colours, styles, numbers and names in both."""

import io
import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib import color_sequences
from matplotlib.colors import to_hex, to_rgb

from unrolled.comparison.looks import COLOURS, Look, look
from unrolled.pipelines.charts import Bars, Chart, Dots, Line, Map
from unrolled.pipelines.forecasting import report
from unrolled.pipelines.pictures import draw
from unrolled.series.options import Columns, SeriesOptions
from unrolled.series.reading import Reading

BASELINES = ["persistence", "seasonal_naive", "drift", "ridge", "holt_winters", "theta"]
ROWS = {"recurrent": ["rnn", "lstm", "gru"], "baseline": BASELINES}
EVERY = [*ROWS["recurrent"], *BASELINES]
SERIES = SeriesOptions(horizon=3, unit="thousand passengers a month")
READING = Reading()
STYLES = {"-": "solid", "--": "dash", "-.": "dashdot", ":": "dot"}
DICHROMATS = {  # Machado, Oliveira & Fernandes (2009), linear RGB
    "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritan": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
    "none": np.eye(3).tolist(),
}


def lab(colour: str, eye: list[list[float]]) -> np.ndarray:
    """CIELAB coordinates of an sRGB colour as an eye of that kind sees it."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = to_xyz @ np.clip(np.array(eye) @ linear, 0, 1)
    x, y, z = np.cbrt(xyz / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("eye", DICHROMATS)
def test_colour_blind_readers_tell_the_colours_apart(eye):
    def nearest(colours):
        seen = [lab(colour, DICHROMATS[eye]) for colour in colours]
        return min(np.linalg.norm(one - two) for one, two in itertools.combinations(seen, 2))

    assert nearest(COLOURS) > 15
    if eye in ("protan", "deutan"):  # the check would see colours that are not for them
        assert nearest(color_sequences["tab10"]) < 15


def test_the_colours_are_those_that_matplotlib_has_by_that_name():
    assert [to_hex(colour) for colour in color_sequences["petroff10"]] == COLOURS


def test_each_row_of_the_default_study_has_a_look_of_its_own():
    looks = [look(name, ROWS) for name in [*EVERY, "rnn_median", "lstm_median", "gru_median"]]
    assert len(set(looks)) == 12
    assert len({own.colour for own in looks}) == 9
    assert [own.dash for own in looks] == ["solid"] * 3 + ["dash"] * 6 + ["dashdot"] * 3


def test_as_many_rows_as_there_are_variants_keep_apart():
    many = {"recurrent": [f"network_{i}x" for i in range(18)], "baseline": BASELINES}
    assert len({look(name, many) for names in many.values() for name in names}) == 24


@pytest.fixture
def panel() -> pd.DataFrame:
    ds = pd.date_range("2001-01-01", periods=40, freq="MS")
    y = np.arange(40.0) + 10
    return pd.concat([pd.DataFrame({"unique_id": name, "ds": ds, "y": y}) for name in "ab"])


@pytest.fixture
def leaderboard() -> pd.DataFrame:
    kinds = ["recurrent"] * 3 + ["baseline"] * 6
    board = pd.DataFrame({"variant": EVERY, "kind": kinds, "mase": np.arange(9) + 0.5})
    board["mase_std"] = np.where(board["kind"] == "recurrent", 0.1, np.nan)
    median = pd.DataFrame([{"variant": "gru_median", "kind": "ensemble", "mase": 0.1}])
    return pd.concat([median, board], ignore_index=True)


def drawn(pictures) -> dict[str, Look]:
    """The look of each named line, which has to be one and the same in both drawings."""
    figure, interactive = pictures
    found = {
        line.get_label(): Look(to_hex(line.get_color()), STYLES[line.get_linestyle()])
        for axes in figure.axes
        for line in axes.get_lines()
        if not line.get_label().startswith("_")
    }
    plotly = {
        trace.name: Look(to_hex(trace.line.color), trace.line.dash)
        for trace in interactive.data
        if trace.name and trace.mode == "lines"
    }
    assert found == plotly
    return found


def stored(panel: pd.DataFrame) -> pd.DataFrame:
    """The winner's forecast with its cutoff, the last row of the first series."""
    first = panel[panel["unique_id"] == panel["unique_id"].iloc[0]]
    return first[-1:].rename(columns={"ds": "cutoff"})


def test_a_row_has_one_look_in_every_picture_of_a_run(panel, leaderboard):
    ahead = panel["ds"].max() + pd.DateOffset(months=1)
    forecast = pd.DataFrame({"unique_id": "a", "ds": ahead, "y_hat": 1.0, "variant": EVERY})
    steps = pd.DataFrame({"variant": EVERY, "step": 1, "mae": 1.0})
    backtest = pd.concat(
        [
            panel[-3:].assign(cutoff=panel["ds"].iloc[-4], step=[1, 2, 3], y_hat=1.0, variant=name)
            for name in [*EVERY, "gru_median"]
        ]
    )
    board = leaderboard.iloc[1:]
    pictures = [
        report.plot_error_by_step(steps, board, "", SERIES, READING, ROWS),
        report.plot_ahead(forecast, stored(panel), panel, "", SERIES, READING, ROWS),
        report.plot_forecast(backtest, panel, leaderboard, "", SERIES, READING, ROWS),
    ]
    for picture in pictures:
        rows = {name: own for name, own in drawn(picture).items() if name in [*EVERY, "gru_median"]}
        assert len(rows) >= 4
        assert rows == {name: look(name, ROWS) for name in rows}
    bars = report.plot_leaderboard(leaderboard, "", ROWS)
    assert [to_hex(patch.get_facecolor()) for patch in bars[0].axes[0].patches] == [
        look(name, ROWS).colour for name in leaderboard["variant"][::-1]
    ]
    assert list(bars[1].data[0].marker.pattern.shape) == ["/"] * 6 + [""] * 3 + ["x"]


def test_the_picture_of_what_comes_shows_four_horizons_and_each_variant(panel):
    after = pd.date_range("2004-05-01", periods=3, freq="MS")
    forecast = pd.concat(
        pd.DataFrame({"unique_id": series, "ds": after, "variant": name, "y_hat": [50.0, 51, 52]})
        for series in "ab"
        for name in ("gru", "ridge")
    )
    forecast["ds"] = forecast["ds"].astype(str)  # as a CSV holds them
    figure, interactive = report.plot_ahead(
        forecast, stored(panel), panel, "mine: 40 rows", SERIES, READING, ROWS
    )
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    assert set(lines) == {"observed", "gru", "ridge", "cutoff"}
    assert len(lines["observed"].get_xdata()) == 4 * 3 + 1
    assert list(lines["gru"].get_ydata()) == [50.0, 51.0, 52.0]
    assert list(pd.DatetimeIndex(lines["gru"].get_xdata())) == list(after)
    assert "a: forecast of 3 steps after 2004-04-01" in interactive.layout.title.text
    assert "mine: 40 rows" in interactive.layout.title.text


def test_a_filled_row_is_no_observation_in_a_picture(panel):
    forecast = panel[-1:].assign(variant="gru", y_hat=1.0)
    gappy = panel.assign(observed=np.arange(len(panel)) % 5 != 0)
    figure, _ = report.plot_ahead(forecast, stored(panel), gappy, "", SERIES, READING, ROWS)
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    own = gappy[(gappy["unique_id"] == "a") & gappy["observed"]]
    assert set(lines["observed"].get_ydata()) <= set(own["y"])
    assert 9 < len(lines["observed"].get_xdata()) < 4 * 3 + 1


@pytest.mark.parametrize(
    ("unit", "found", "x", "y"),
    [
        ("mm", Columns(), "time", "mm"),
        ("€", Columns(ds="Month", y="Sales"), "Month", "Sales, €"),
        (None, Columns(), "time", "value"),
    ],
)
def test_axes_bear_the_units_and_the_names_that_the_file_has(panel, unit, found, x, y):
    forecast = panel[-1:].assign(variant="gru", y_hat=1.0)
    series, reading = SeriesOptions(horizon=3, unit=unit), Reading(columns=found)
    figure, interactive = report.plot_ahead(
        forecast, stored(panel), panel, "", series, reading, ROWS
    )
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == (x, y)
    layout = interactive.layout
    assert (layout.xaxis.title.text, layout.yaxis.title.text) == (x, y)


def test_every_kind_of_item_is_drawn_twice_and_nothing_is_cut_off():
    z = np.array([[1.0, np.nan], [-1.0, 0.0]])
    charts = [
        Chart("x", "y", [Line([1, 10], [1, 100], "line", band=([1, 1], [2, 200]))], "a", log="xy"),
        Chart("x", "y", [Dots([1, 2], [1, 2], "dots", COLOURS[0], "x")], "b", equal=True),
        Chart("x", "", [Bars(["p", "q"], [1, 2], [0.1, np.nan], [Look(), Look(dash="dash")])]),
        Chart("x", "y", [Map(z, "RdBu_r", -1, 1, "label", np.array([["p", ""], ["q", "r"]]))]),
    ]
    title = "A long title of very many words, " * 6
    figure, interactive = draw(title, "a protocol, " * 40, charts[:2], charts[2:])
    kinds = [type(trace).__name__ for trace in interactive.data]
    # Column after column; a band is two lines more.
    assert kinds == ["Scatter", "Scatter", "Scatter", "Bar", "Scatter", "Heatmap"]
    assert interactive.data[0].fill is None
    assert interactive.data[1].fill == "tonexty"
    assert interactive.data[5].showscale
    figure.savefig(io.BytesIO(), format="png")
    width, height = figure.get_size_inches() * figure.dpi
    texts = [figure._suptitle, figure._supxlabel]
    assert all("\n" in text.get_text() for text in texts)
    for box in [text.get_window_extent() for text in texts] + [
        axes.get_tightbbox() for axes in figure.axes
    ]:
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height


def test_a_name_stands_once_in_the_legend_of_several_charts():
    chart = Chart("x", "y", [Line([0, 1], [0, 1], "gru"), Line([0, 1], [1, 0])])
    figure, interactive = draw("", "", [chart, chart])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["gru"]
    assert [bool(trace.showlegend) for trace in interactive.data] == [True, False, False, False]
