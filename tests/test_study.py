"""What is said on the command line, and what need not be said again."""

import json
from pathlib import Path

import pytest
from kedro.framework.project import pipelines

from unrolled.errors import InputError
from unrolled.study import StudyConfigLoader, expanded, with_kept

NAMES = {"series": "airline", "corpus": "shakespeare"}


def full(**asked):
    return expanded(asked, NAMES.__getitem__)


def test_short_forms_are_the_options_and_columns_of_the_series_of_the_run():
    assert full(series="mine", ds="Month", y="Sales", season=12) == {
        "series": "mine",
        "series_options": {"mine": {"columns": {"ds": "Month", "y": "Sales"}, "season": 12}},
    }
    assert full(horizon=6) == {"series_options": {"airline": {"horizon": 6}}}
    assert full(boundaries="line") == {"corpus_options": {"shakespeare": {"boundaries": "line"}}}


def test_short_and_full_forms_go_together():
    asked = {"series_options": {"mine": {"horizon": 6, "columns": {"ds": "Month"}}}}
    assert full(series="mine", season=4, y="Sales", **asked)["series_options"] == {
        "mine": {"horizon": 6, "columns": {"ds": "Month", "y": "Sales"}, "season": 4}
    }


def test_what_is_said_twice_is_refused():
    with pytest.raises(InputError) as refused:
        full(series="mine", horizon=6, series_options={"mine": {"horizon": 12}})
    assert str(refused.value) == (
        "the command line gives 'series_options.mine.horizon' twice, as 12 and as 6; keep one"
    )


@pytest.mark.parametrize("named", [{}, {"series": "mine", "corpus": "tang"}])
def test_an_option_of_series_and_corpora_alike_belongs_to_the_one_that_is_named(named):
    assert full(series="mine", test=24)["series_options"] == {"mine": {"test": 24}}
    assert full(corpus="tang", test=0.2)["corpus_options"] == {"tang": {"test": 0.2}}
    with pytest.raises(InputError) as refused:
        full(test=0.2, **named)
    assert str(refused.value) == (
        "parameter 'test' may be of a series or of a corpus; say series_options.NAME.test or"
        " corpus_options.NAME.test"
    )


@pytest.mark.parametrize(
    ("wrong", "right"), [("horizn", "horizon"), ("sesies", "series"), ("varaints", "variants")]
)
def test_a_typo_is_met_with_the_nearest_word(wrong, right):
    with pytest.raises(InputError) as refused:
        full(**{wrong: 6})
    assert str(refused.value) == f"parameter '{wrong}' is unknown; did you mean '{right}'?"


# --- what is kept ---------------------------------------------------------------------------------

PARAMETERS = {
    "series": "mine",
    "corpus": "tang",
    "series_options": {"defaults": {"horizon": 12}, "mine": {"season": 4, "path": "new.csv"}},
}


@pytest.fixture
def kept(tmp_path):
    folder = tmp_path / "data/06_models/forecasting/mine"
    folder.mkdir(parents=True)
    values = {"horizon": 6, "season": 12, "path": "old.csv", "columns": {"ds": "Month", "y": "y"}}
    (folder / "study.json").write_text(json.dumps(values))
    return tmp_path


def test_options_are_those_of_the_run_whatever_conf_says_now(kept):
    found = with_kept(PARAMETERS, {}, kept)["series_options"]["mine"]
    assert (found["horizon"], found["season"]) == (6, 12)
    assert found["columns"]["ds"] == "Month"
    assert found["path"] == "new.csv"  # where the rows lie may change


def test_saying_the_same_again_is_fine_and_saying_others_names_both(kept):
    asked = {"series_options": {"mine": {"horizon": 6, "columns": {"ds": "Month"}}}}
    with_kept(PARAMETERS, asked, kept)
    asked["series_options"]["mine"]["columns"]["ds"] = "Day"
    with pytest.raises(InputError) as refused:
        with_kept(PARAMETERS, asked, kept)
    assert str(refused.value) == (
        "series 'mine' was run with columns.ds 'Month', but --params says 'Day'; leave it out, or"
        " run kedro run --pipelines=forecasting with it first"
    )


def test_nothing_kept_changes_nothing(tmp_path):
    assert with_kept(PARAMETERS, {}, tmp_path) == PARAMETERS


def test_a_damaged_file_is_named(kept):
    (path,) = kept.rglob("study.json")
    path.write_text("{")
    with pytest.raises(InputError, match=r"study.json' cannot be read: .*; run the pipeline"):
        with_kept(PARAMETERS, {}, kept)


@pytest.mark.parametrize(("asked", "horizon"), [("forecast", 5), ("forecasting", 12)])
def test_only_pipelines_that_read_results_take_what_is_kept(project, asked, horizon):
    folder = Path("data/06_models/forecasting/airline")
    folder.mkdir(parents=True)
    (folder / "study.json").write_text('{"horizon": 5}')
    pipelines.set_requested([asked])
    try:
        loader = StudyConfigLoader(
            "conf", base_env="base", default_run_env="local", runtime_params={"series": "airline"}
        )
        assert loader["parameters"]["forecasting"]["series"]["horizon"] == horizon
    finally:
        pipelines.set_requested(None)
