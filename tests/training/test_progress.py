import logging

import pytest

from unrolled.training import progress
from unrolled.training.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(progress, "_clock", progress.OwnClock())
    return now


def test_without_a_terminal_a_long_training_says_a_line_every_ten_seconds(clock, caplog):
    caplog.set_level(logging.INFO)
    bar = Progress("gru seed 0", 100, "epoch")
    for _ in range(30):
        clock[0] += 1.0
        bar.update(train=0.5, validation=0.25)
    bar.close()
    assert caplog.messages == [
        f"gru seed 0: epoch {epoch} of 100, train 0.5000, validation 0.2500"
        for epoch in (10, 20, 30)
    ]


def test_numbers_stay_until_there_are_new_ones_and_a_short_training_says_nothing(clock, caplog):
    caplog.set_level(logging.INFO)
    bar = Progress("gru", 3, "chunk")
    bar.update()
    bar.update(train=1.0, validation=float("nan"))
    assert caplog.messages == []
    clock[0] += 10.0
    bar.update()
    assert caplog.messages == ["gru: chunk 3 of 3, train 1.0000"]


def test_trainings_side_by_side_say_one_line_every_ten_seconds_together(clock, caplog):
    caplog.set_level(logging.INFO)
    bars = [Progress(f"gru seed {seed}", 100, "epoch") for seed in (0, 1)]
    for _ in range(30):
        for bar in bars:
            clock[0] += 0.5
            bar.update()
    assert len(caplog.messages) == 3


def test_on_a_terminal_there_is_a_bar_and_no_line(clock, caplog, capsys, monkeypatch):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    bar = Progress("gru seed 0", 2, "epoch")
    clock[0] += 20.0
    bar.update(train=0.5)
    bar.close()
    assert "gru seed 0:   0%|" in capsys.readouterr().err
    assert caplog.messages == []
