"""What goes into service is what was scored."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from unrolled.comparison.records import ScoredEntry, Winner
from unrolled.errors import InputError
from unrolled.series import backtest, baselines, splits
from unrolled.series.options import SeriesOptions
from unrolled.series.reading import Reading
from unrolled.serving import packages, parity
from unrolled.serving.forecaster import ServedForecaster
from unrolled.text.options import CorpusOptions
from unrolled.training.cards import TrainedRow

READING = Reading()
SERIES = SeriesOptions(season=4, horizon=6, lookback=8, validation=15, test=15)


def panel_of(*, months: bool = True, level: float = 0.0) -> pd.DataFrame:
    """Two series of 70 rows with a season of 4, positive where the level is."""
    time, frames = np.arange(70), []
    for place, name in enumerate(("a", "b")):
        noise = np.random.default_rng(place).normal(0, 0.3, 70)
        season = (1 + 0.4 * np.sin(np.pi * time / 2 + place)) * (10 + 0.2 * time)
        ds = pd.date_range("2001-01-01", periods=70, freq="MS") if months else 3 * time + place
        frames.append(pd.DataFrame({"unique_id": name, "ds": ds, "y": season + noise + level}))
    return pd.concat(frames, ignore_index=True)


def row_of(name: str, **entries: ScoredEntry) -> TrainedRow:
    """A baseline, which has no networks, beside the rows of a leaderboard."""
    winner = Winner.model_construct(variant=name, rows=entries)
    return TrainedRow(name, "baseline", winner, [])


def opened(files: dict[str, bytes], folder: Path) -> ServedForecaster:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return ServedForecaster(folder)


# Times that are whole numbers: of one that reads its last rows, and of a state that is moved on.
@pytest.mark.parametrize(
    ("name", "months"),
    [*((name, True) for name in baselines.BASELINES), ("ridge", False), ("drift", False)],
)
def test_a_baseline_in_service_forecasts_what_it_forecasts_fitted_on_all_rows(
    name: str, months: bool, tmp_path: Path
) -> None:
    panel = panel_of(months=months)
    files, request = packages.of_forecaster(row_of(name), None, panel, READING, SERIES)
    served = opened(files, tmp_path)
    expected = backtest.ahead(panel, SERIES, backtest.of_baseline(name, panel, SERIES))
    found = served.predict(panel)
    assert found["unique_id"].tolist() == expected["unique_id"].tolist()
    assert found["ds"].tolist() == expected["ds"].tolist()
    np.testing.assert_allclose(found["y_hat"], expected["y_hat"], rtol=1e-9)
    asked = served.predict(pd.DataFrame(request["dataframe_records"]))
    np.testing.assert_allclose(asked["y_hat"], expected["y_hat"][:6], rtol=1e-9)


@pytest.mark.parametrize("name", sorted(set(baselines.BASELINES) - {"holt_winters"}))  # see below
def test_parity_asks_the_server_from_every_cutoff_of_the_test_part(name: str) -> None:
    panel = panel_of()
    borders = splits.borders(panel, SERIES.validation, SERIES.test)
    found = parity.of_forecaster(row_of(name), {}, panel, borders, None, SERIES)
    assert found["checked"] == 2 * 10 * 6
    assert found["largest_relative_difference"] < 1e-9


def test_numbers_that_differ_from_what_was_scored_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def changed(y: np.ndarray, task: baselines.Task) -> dict:
        numbers = theta.fit(y, task)
        return numbers | {"alpha": numbers["alpha"] + 0.01}

    theta = baselines.BASELINES["theta"]
    monkeypatch.setitem(baselines.BASELINES, "theta", theta._replace(fit=changed))
    panel = panel_of()
    borders = splits.borders(panel, SERIES.validation, SERIES.test)
    with pytest.raises(InputError, match=r"what would be served differs from what was scored by"):
        parity.of_forecaster(row_of("theta"), {}, panel, borders, None, SERIES)


def test_parity_ends_where_a_factor_of_season_meets_a_row_at_or_below_zero() -> None:
    panel = panel_of()
    borders = splits.borders(panel, SERIES.validation, SERIES.test)
    panel.loc[60, "y"] = 0.0  # of series a, whose test part begins at row 55
    numbers = packages.numbers_of("holt_winters", panel, borders, SERIES)
    assert json.loads(numbers["numbers.json"])["series"]["a"]["multiplicative"]
    found = parity.of_forecaster(row_of("holt_winters"), {}, panel, borders, None, SERIES)
    assert found["checked"] == (6 + 10) * 6  # of a the cutoffs 54 to 59
    assert found["largest_relative_difference"] < 1e-9


def test_counted_n_grams_are_not_deployed() -> None:
    none = {"validation_score": None, "score": None, "seeds": ()}
    gru, xz = (ScoredEntry(kind=kind, **none) for kind in ("recurrent", "baseline"))
    with pytest.raises(InputError) as caught:
        packages.of_writer(row_of("xz", gru=gru, xz=xz), None, CorpusOptions())
    assert str(caught.value) == (
        "parameter 'model' is 'xz', which counts n-grams and is not deployed; expected a language"
        " model: gru"
    )
