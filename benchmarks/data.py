"""From a series or a text to what a network reads: how long, and in how much memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from _table import Row, main, measure
from unrolled.series import splits, windows
from unrolled.series.options import SeriesOptions
from unrolled.text import vocabulary
from unrolled.training.forecasting import gather

OPTIONS = SeriesOptions(lookback=96, horizon=24, validation=0.1, test=0.1)
BATCH = 128
ENGLISH = Path(__file__).parents[1] / "LICENSE"


class ItemWise(Dataset[tuple[Tensor, Tensor]]):
    """What one writes first: one window an item."""

    def __init__(self, values: Tensor, first: Tensor) -> None:
        """Keep the values (N,) and the first row of each window (W,)."""
        self.values, self.first = values, first.tolist()

    def __len__(self) -> int:
        """Count the windows."""
        return len(self.first)

    def __getitem__(self, item: int) -> tuple[Tensor, Tensor]:
        """Inputs (T, F) and targets (K,) of one window."""
        first = self.first[item]
        middle = first + OPTIONS.lookback
        return self.values[first:middle, None], self.values[middle : middle + OPTIONS.horizon]


def ready(values: np.ndarray, borders: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """All that is needed before the first batch: the windows, and where each starts."""
    table = windows.table(borders, OPTIONS)
    return windows.sliding(values, OPTIONS.span), starts(table)


def starts(table: pd.DataFrame) -> np.ndarray:
    """First rows of all windows, part by part."""
    return np.concatenate([windows.starts(table, part) for part in windows.PARTS])


def loop(borders: pd.DataFrame) -> np.ndarray:
    """First rows of all windows, part by part, in Python."""
    first = []
    for part in windows.PARTS:
        for series in splits.each(borders):
            begin, end = {
                "train": (series.first, series.train_end),
                "validation": (series.train_end, series.validation_end),
                "test": (series.validation_end, series.end),
            }[part]
            for row in range(series.first, end - OPTIONS.span + 1):
                if row + OPTIONS.lookback >= begin:
                    first.append(row)
    return np.array(first)


def borders_of(series: int, points: int) -> pd.DataFrame:
    """Borders of a panel of so many series of so many points."""
    names = np.repeat([f"series_{i}" for i in range(series)], points)
    return splits.borders(pd.DataFrame({"unique_id": names}), OPTIONS.validation, OPTIONS.test)


def peak(function: Callable[[], object]) -> float:
    """MB that a call allocates at most, its result included."""
    tracemalloc.start()
    kept = function()
    megabytes = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    del kept
    return megabytes


def english(characters: int) -> str:
    """So many characters of English, ASCII: one text again and again."""
    text = ENGLISH.read_text(encoding="ascii")
    return (text * (characters // len(text) + 1))[:characters]


def number(text: str) -> np.ndarray:
    """From characters to ids, the vocabulary built first."""
    return vocabulary.encode([text], vocabulary.build([text], boundaries=False))


def text_rows(quick: bool) -> list[Row]:
    text = english(4_000_000 if quick else 20_000_000)
    index = {character: i for i, character in enumerate(sorted(set(text)))}

    def by_dictionary() -> list[int]:
        return [index[c] for c in text]

    size = len(text) / 1e6
    speeds = [size / each for each in measure(lambda: number(text), by_dictionary, repeats=5)]
    usual = "index[c] for every c, the index given"
    return [
        Row(
            case=f"vocabulary and ids of {size:g} MB of English",
            value=speeds[0],
            unit="MB/s",
            reference=speeds[1],
            reference_name=usual,
            bar="ratio >= 10",
        ),
        Row(
            case=f"vocabulary and ids of {size:g} MB of English: extra memory, the ids included",
            value=peak(lambda: number(text)),
            unit="MB",
            reference=peak(by_dictionary),
            reference_name=usual,
            bar="value <= 25",
        ),
    ]


def rows(quick: bool) -> list[Row]:
    torch.set_num_threads(1)
    return series_rows(quick) + text_rows(quick)


def series_rows(quick: bool) -> list[Row]:
    points, items = (200_000, 6_400) if quick else (1_000_000, 25_600)
    values = np.random.default_rng(0).standard_normal(points, dtype=np.float32)
    borders = borders_of(1, points)
    data = torch.from_numpy(values)
    first = torch.from_numpy(ready(values, borders)[1])
    first = first[torch.randperm(len(first))[:items]]
    loader = DataLoader(ItemWise(data, first), batch_size=BATCH, shuffle=True)

    def view() -> object:
        return ready(values, borders)

    def copy() -> object:
        return np.ascontiguousarray(windows.sliding(values, OPTIONS.span))

    def epoch() -> None:
        for batch in torch.randperm(items).split(BATCH):
            gather(data, first.index_select(0, batch), OPTIONS)

    def epoch_item_wise() -> None:
        for _ in loader:
            pass

    series, length = (1_000, 200) if quick else (1_000, 1_000)
    panel = borders_of(series, length)
    seconds = measure(view, copy, repeats=5)
    speeds = [items / each for each in measure(epoch, epoch_item_wise, repeats=9)]
    panels = measure(
        lambda: starts(windows.table(panel, OPTIONS)),
        lambda: loop(panel),
        repeats=5,
    )
    shape = f"lookback {OPTIONS.lookback}, horizon {OPTIONS.horizon}"
    return [
        Row(
            case=f"windows of {points:,} points, {shape}: time until the first batch",
            value=seconds[0] * 1e3,
            unit="ms",
            reference=seconds[1] * 1e3,
            reference_name="windows copied into an array",
            bar="value <= 10",
        ),
        Row(
            case=f"windows of {points:,} points, {shape}: extra memory",
            value=peak(view),
            unit="MB",
            reference=peak(copy),
            reference_name="windows copied into an array",
            bar="value <= 10",
        ),
        Row(
            case=f"{items:,} windows in random batches of {BATCH}",
            value=speeds[0],
            unit="windows/s",
            reference=speeds[1],
            reference_name="DataLoader over an item-wise Dataset, default collate, no workers",
            bar="ratio >= 20",
        ),
        Row(
            case=f"starts of the windows of {series:,} series of {length:,} points",
            value=panels[0] * 1e3,
            unit="ms",
            reference=panels[1] * 1e3,
            reference_name="a loop in Python",
            bar="value <= 20",
        ),
    ]


if __name__ == "__main__":
    main(rows)
