"""The tables of the benchmarks: what a row says, and that the README cannot drift from it."""

import json
import platform
import random
import sys
import warnings
from graphlib import CycleError
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
KEYS = ["case", "value", "unit", "reference", "reference_name", "ratio", "bar", "met"]


@pytest.fixture
def benchmark(monkeypatch):
    """Import a file of benchmarks/ as a command there does."""
    monkeypatch.syspath_prepend(BENCHMARKS)

    def load(name):
        monkeypatch.delitem(sys.modules, name, raising=False)
        return __import__(name)

    return load


@pytest.fixture
def run(monkeypatch):
    """Run a main function with arguments of the command line."""

    def call(main, *arguments, **options):
        monkeypatch.setattr(sys, "argv", ["it", *map(str, arguments)])
        return main(**options)

    return call


@pytest.mark.parametrize("name", sorted(file.stem for file in BENCHMARKS.glob("*.py")))
def test_a_benchmark_finds_what_it_imports(benchmark, name):
    benchmark(name)


def test_a_bar_is_met_as_its_own_words_say(benchmark):
    row = benchmark("_table").Row
    assert row("a", 10, "ms", bar="value <= 10").met is True
    assert row("a", 10.1, "ms", bar="value <= 10").met is False
    assert row("a", 40, "1/s", reference=2, bar="ratio >= 20").met is True
    assert row("a", 39, "1/s", reference=2, bar="ratio >= 20").met is False
    assert row("a", 39, "1/s", reference=2).met is None


def test_the_ratio_is_ours_over_the_reference(benchmark):
    row = benchmark("_table").Row
    assert row("a", 3.0, "ms", reference=12.0, reference_name="other").ratio == 0.25
    assert row("a", 3.0, "ms").ratio is None


def test_repeats_are_interleaved_after_one_call_to_warm_up(benchmark):
    calls = []
    medians = benchmark("_table").measure(
        lambda: calls.append("a"), lambda: calls.append("b"), repeats=3
    )
    assert "".join(calls) == "ab" + "ababab"
    assert len(medians) == 2
    assert all(seconds >= 0 for seconds in medians)


def test_the_median_of_the_repeats_is_kept(benchmark, monkeypatch):
    table = benchmark("_table")
    ticks = iter([0, 5, 10, 11, 20, 22])  # 5, 1 and 2 seconds
    monkeypatch.setattr(table.time, "perf_counter", lambda: next(ticks))
    assert table.measure(lambda: None, repeats=3) == [2]


def test_the_machine_has_no_name_and_no_path(benchmark):
    described = benchmark("_table").machine()
    assert list(described) == ["processor", "cores", "system", "python", "numpy", "torch"]
    assert "/" not in json.dumps(described)
    assert platform.node() not in described.values()


def test_json_holds_the_rows_and_save_the_machine_too(
    benchmark, run, tmp_path, monkeypatch, capsys
):
    table = benchmark("_table")
    monkeypatch.setattr(table, "RESULTS", tmp_path)

    def rows(quick):
        return [table.Row("a case", 2.0, "ms", 4.0, "another", bar="value <= 3")]

    run(table.main, "--json", tmp_path / "rows.json", "--save", rows=rows)
    written = json.loads((tmp_path / "rows.json").read_text())
    assert [list(row) for row in written] == [KEYS]
    assert written[0]["ratio"] == 0.5
    assert written[0]["met"] is True
    saved = json.loads((tmp_path / "test_benchmarks.json").read_text())
    assert saved["rows"] == written
    assert list(saved) == ["machine", "date", "command", "rows"]
    assert saved["command"] == "python benchmarks/test_benchmarks.py"
    assert "a case" in capsys.readouterr().out


def test_a_benchmark_is_handed_the_files_that_it_names(benchmark, run, tmp_path, capsys):
    handed = []

    def rows(quick, one, other):
        handed.append((one, other))
        return []

    run(benchmark("_table").main, "--other", tmp_path, rows=rows, one=Path("a"), other=Path("b"))
    assert handed == [(Path("a"), tmp_path)]


@pytest.mark.parametrize("reduced", ["--quick", "--rehearse", "--only=one"])
def test_a_part_of_a_run_is_never_saved(benchmark, run, reduced, capsys):
    with pytest.raises(SystemExit):
        run(
            benchmark("_table").main,
            reduced,
            "--save",
            rows=lambda **_: [],
            only=["one", "other"],
            rehearse="score a part of train",
        )
    option = reduced.partition("=")[0]
    assert f"--save keeps full results; leave out {option}" in capsys.readouterr().err


def test_one_case_can_be_asked_for(benchmark, run, capsys):
    handed = []

    def rows(quick, only):
        handed.append(only)
        return []

    for asked in ([], ["--only", "other"]):
        run(benchmark("_table").main, *asked, rows=rows, only=["one", "other"])
    assert handed == [["one", "other"], ["other"]]


@pytest.mark.parametrize("name", ["tiny", "tang"])
def test_a_rehearsal_never_sees_the_part_that_is_scored(benchmark, name, tmp_path):
    text = benchmark("text")
    held_out = text.CASES[name].corpus.held_out and 30
    file = tmp_path / "corpus.txt"
    file.write_text("".join(f"poem {i}\n" for i in range(100)))
    train, scored = text.parts(file, held_out, rehearse=False)
    earlier, rehearsed = text.parts(file, held_out, rehearse=True)
    assert "".join(earlier + rehearsed) == "".join(train)
    assert not set(scored) & set(rehearsed)


# --- the README ---


@pytest.fixture
def readme(tmp_path):
    """A README with one marked table, and the results that belong there."""
    saved = {
        "machine": {"processor": "P", "cores": 2, "python": "3", "numpy": "2", "torch": "1"},
        "date": "2026-11-25",
        "command": "python benchmarks/it.py",
        "rows": [
            dict(
                zip(KEYS, ["a", 2.0, "ms", 4321.0, "other", 0.5, "value <= 3", True], strict=True)
            ),
            dict(zip(KEYS, ["b", 7.0, "MB", None, "", None, "", None], strict=True)),
        ],
    }
    (tmp_path / "it.json").write_text(json.dumps(saved))
    file = tmp_path / "README.md"
    file.write_text("# top\n<!-- benchmark:it -->\nold\n<!-- /benchmark:it -->\nend\n")
    return file


TABLE = """\
# top
<!-- benchmark:it -->
| case | ours | alternative | ratio | bar | met |
| --- | --: | --: | --: | --- | --- |
| a | 2 ms | 4,321 ms, other | 0.5 | value <= 3 ms | yes |
| b | 7 MB |  |  |  |  |

`python benchmarks/it.py`, 2026-11-25: P, 2 cores, Python 3, numpy 2, torch 1.
<!-- /benchmark:it -->
end
"""


def test_a_marked_table_is_made_from_the_results(benchmark, run, readme):
    main = benchmark("readme").main
    run(main, pages=[readme], results=readme.parent)
    assert readme.read_text() == TABLE
    run(main, "--check", pages=[readme], results=readme.parent)


def test_a_drift_is_told_and_nothing_is_changed(benchmark, run, readme):
    before = readme.read_text()
    with pytest.raises(SystemExit) as caught:
        run(benchmark("readme").main, "--check", pages=[readme], results=readme.parent)
    assert caught.value.code == (
        "README.md: its tables of benchmarks differ from benchmarks/results; run `python"
        " benchmarks/readme.py`"
    )
    assert readme.read_text() == before


def test_a_table_without_results_is_refused(benchmark, run, readme):
    (readme.parent / "it.json").unlink()
    with pytest.raises(SystemExit) as caught:
        run(benchmark("readme").main, "--check", pages=[readme], results=readme.parent)
    assert caught.value.code == (
        "benchmark 'it' has no results; run `python benchmarks/it.py --save` first"
    )


def test_the_readme_holds_the_last_full_results(benchmark, run):
    run(benchmark("readme").main, "--check")


@pytest.mark.parametrize(
    "path", sorted((BENCHMARKS / "results").glob("*.json")), ids=lambda p: p.stem
)
def test_saved_results_have_their_form_and_meet_what_they_claim(benchmark, path):
    saved = json.loads(path.read_text())
    assert list(saved) == ["machine", "date", "command", "rows"]
    assert (BENCHMARKS / f"{path.stem}.py").exists()
    for row in saved["rows"]:
        assert list(row) == KEYS
        again = benchmark("_table").Row(
            **{key: row[key] for key in KEYS if key not in ("ratio", "met")}
        )
        assert (again.ratio, again.met) == (row["ratio"], row["met"])


# --- the data benchmark compares like with like ---


def test_both_ways_to_a_batch_give_the_same_windows(benchmark):
    data = benchmark("data")
    values = torch.arange(1000.0)
    first = torch.tensor([3, 700, 0, 880])
    items = [data.ItemWise(values, first)[i] for i in range(len(first))]
    (inputs, *_), targets = data.gather(values, first, data.OPTIONS)
    assert torch.equal(inputs, torch.stack([x for x, _ in items], dim=1))
    assert torch.equal(targets, torch.stack([y for _, y in items], dim=1))


def test_both_ways_to_the_starts_give_the_same_rows(benchmark):
    data = benchmark("data")
    borders = data.borders_of(series=3, points=400)
    table = data.windows.table(borders, data.OPTIONS)
    np.testing.assert_array_equal(data.starts(table), data.loop(borders))


def test_both_ways_from_text_to_ids_tell_the_same_characters_apart(benchmark):
    data = benchmark("data")
    text = data.english(30_000)
    assert len(text) == len(text.encode()) == 30_000
    index = {c: i for i, c in enumerate(sorted(set(text)))}
    pairs = set(zip(data.number(text).tolist(), [index[c] for c in text], strict=True))
    assert len(pairs) == len(index)


# --- mutated inputs ---


@pytest.mark.parametrize(("name", "count"), [("parameters", 40), ("forecasts", 100)])
def test_inputs_that_nobody_means_end_in_a_sentence(benchmark, name, count):
    fuzzing = benchmark("fuzzing")
    chance = random.Random(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(count):
            given, run = fuzzing.CASES[name](chance)
            assert fuzzing.tried(run) is None, given


def test_a_finding_is_one(benchmark):
    fuzzing = benchmark("fuzzing")

    def refuse():
        raise fuzzing.InputError("no")

    assert fuzzing.tried(refuse) is None
    assert fuzzing.tried(lambda: 1 / 0).startswith("ZeroDivisionError in test_benchmarks.py:")


def test_the_house_has_no_arrow_up_no_circle_no_long_file_and_is_drawn_as_it_is(benchmark, run):
    house = benchmark("house")
    run(house.main)  # ends with an error where a rule is broken
    assert house.PAGE.read_text() == house.drawn(house.arrows_of_rooms(house.arrows_of_modules()))


@pytest.mark.parametrize(
    ("arrows", "circle"),
    [({"a": {"b"}, "b": {"c"}, "c": {"a"}}, True), ({"a": {"b", "c"}, "b": {"c"}}, False)],
)
def test_a_circle_of_imports_is_found(benchmark, arrows, circle):
    house = benchmark("house")
    if circle:
        with pytest.raises(CycleError):
            house.down(arrows)
    else:
        assert house.down(arrows) == ["a", "b", "c"]
