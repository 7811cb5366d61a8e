"""One bad series does not stop a panel, and is not left out in silence."""

import numpy as np
import pandas as pd
import pytest

from unrolled.errors import InputError
from unrolled.series import splits
from unrolled.series.options import SeriesOptions
from unrolled.series.selection import check, select

OPTIONS = SeriesOptions(lookback=6, horizon=3, season=1)


def panel(**series):
    frames = [
        pd.DataFrame({"unique_id": name, "ds": range(len(y)), "y": np.asarray(y, float)})
        for name, y in series.items()
    ]
    return pd.concat(frames, ignore_index=True)


WAVE = np.sin(np.arange(60))
MANY = {f"s{i}": WAVE for i in range(10)}


@pytest.mark.parametrize("short", [None, "drop"])
def test_a_panel_goes_on_without_a_series_that_is_short_or_constant(short, caplog):
    whole = panel(**MANY, short=WAVE[:12], flat=np.r_[np.ones(40), WAVE[:20]])
    found, dropped = select(whole, OPTIONS.model_copy(update={"short": short}))
    assert found.equals(panel(**MANY))
    assert list(dropped) == ["short", "flat"]
    assert "8 of its 12 rows are for train" in dropped["short"]
    assert "its 36 train rows are constant (1)" in dropped["flat"]
    assert caplog.messages == [
        "2 of 12 series (short, flat) are left out, too short or constant: data.json says why;"
        " short=error refuses them"
    ]


@pytest.mark.parametrize(
    ("series", "short"), [({"a": WAVE, "b": WAVE[:12]}, None), (MANY | {"b": WAVE[:12]}, "error")]
)
def test_few_series_or_none_that_may_go_are_left_to_those_who_refuse(series, short):
    whole = panel(**series)
    options = OPTIONS.model_copy(update={"short": short})
    assert select(whole, options) == (whole, {}) or select(whole, options)[0] is whole
    with pytest.raises(InputError, match="series 'b': 8 of its 12 rows are for train"):
        check(whole, splits.borders(whole, 0.2, 0.2), options)


def test_where_none_is_left_the_first_is_named():
    whole = panel(**{f"s{i}": WAVE[:9] for i in range(11)})
    with pytest.raises(
        InputError, match="none of the 11 series can take part; of the first: series"
    ):
        select(whole, OPTIONS)


def test_a_part_that_was_filled_whole_has_nothing_to_score():
    whole = panel(a=WAVE).assign(observed=np.arange(60) < 48)
    with pytest.raises(InputError) as caught:
        check(whole, splits.borders(whole, 0.2, 0.2), OPTIONS)
    assert str(caught.value) == (
        "series 'a': all 12 rows of its test part were missing and are filled, so there is nothing to"
        " score; change the split, or drop the series"
    )
