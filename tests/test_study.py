"""What is said on the command line, and what need not be said again."""

import copy
import functools
import json
from pathlib import Path

import pytest
from kedro.framework.project import pipelines

from unrolled.cli import split_params
from unrolled.errors import InputError
from unrolled.pipelines.jobs import JOBS
from unrolled.settings import CONFIG_LOADER_ARGS
from unrolled.study import StudyConfigLoader, expanded, with_kept

NAMES = {"series": "airline", "corpus": "shakespeare"}


@functools.cache
def files():
    return StudyConfigLoader("conf", **CONFIG_LOADER_ARGS)._configured()


class Loader(StudyConfigLoader):
    """The files of `conf/`, which are the same in all projects here, are read once."""

    def _configured(self):
        return copy.deepcopy(files())


def loaded(**typed):
    return Loader("conf", runtime_params=typed, **CONFIG_LOADER_ARGS).study


def full(**asked):
    return expanded(JOBS, asked, NAMES.__getitem__)


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


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("temperature", "'generate.temperature'"),
        ("temprature", "'generate.temperature'"),
        ("top_k", "'generate.top_k'"),
        ("last", "'monitor.last'"),
        (
            "dropout",
            "'variant_options.NAME.dropout' or 'text.model.dropout'",
        ),
    ],
)
def test_an_option_of_a_part_is_met_with_its_full_key(wrong, meant):
    with pytest.raises(InputError) as refused:
        full(**{wrong: 6})
    assert str(refused.value) == f"parameter '{wrong}' is unknown; did you mean {meant}?"


def test_a_key_that_may_be_part_of_a_text_points_to_set():
    with pytest.raises(InputError) as refused:
        full(corpus="a", b="c")
    assert str(refused.value) == (
        "parameter 'b' is unknown; those that there are stand in conf/base/parameters; where ',b=' is"
        ' part of a text, give that by itself: --set "key=..., b=..."'
    )


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
    found = with_kept(JOBS, PARAMETERS, {}, kept)["series_options"]["mine"]
    assert (found["horizon"], found["season"]) == (6, 12)
    assert found["columns"]["ds"] == "Month"
    assert found["path"] == "new.csv"  # where the rows lie may change


def test_saying_the_same_again_is_fine_and_saying_others_names_both(kept):
    asked = {"series_options": {"mine": {"horizon": 6, "columns": {"ds": "Month"}}}}
    with_kept(JOBS, PARAMETERS, asked, kept)
    asked["series_options"]["mine"]["columns"]["ds"] = "Day"
    with pytest.raises(InputError) as refused:
        with_kept(JOBS, PARAMETERS, asked, kept)
    assert str(refused.value) == (
        "series 'mine' was run with columns.ds 'Month', but --params says 'Day'; leave it out, or"
        " run kedro run --pipelines=forecasting with it first"
    )


@pytest.mark.parametrize(
    ("option", "value", "other"),
    [
        ("sep", ";", "|"),
        ("decimal", ",", "."),
        ("thousands", ".", " "),
        ("encoding", "latin-1", "utf-16"),
        ("sheet", "new", "old"),
        ("date_format", "%d/%m/%Y", "%m/%d/%Y"),
        ("dayfirst", True, False),
    ],
)
def test_how_a_series_is_written_may_be_said_later_but_not_otherwise(kept, option, value, other):
    asked = {"series_options": {"mine": {option: value}}}
    entry = with_kept(JOBS, PARAMETERS, asked, kept)["series_options"]["mine"]
    assert (entry[option], entry["season"]) == (value, 12)
    (path,) = kept.rglob("study.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {option: other}))
    with pytest.raises(InputError) as refused:
        with_kept(JOBS, PARAMETERS, asked, kept)
    assert str(refused.value) == (
        f"series 'mine' was run with {option} {other!r}, but --params says {value!r}; leave it out,"
        " or run kedro run --pipelines=forecasting with it first"
    )


def test_nothing_kept_changes_nothing(tmp_path):
    assert with_kept(JOBS, PARAMETERS, {}, tmp_path) == PARAMETERS


def test_a_damaged_file_is_named(kept):
    (path,) = kept.rglob("study.json")
    path.write_text("{")
    with pytest.raises(InputError, match=r"study.json' cannot be read: .*; run the pipeline"):
        with_kept(JOBS, PARAMETERS, {}, kept)


@pytest.mark.parametrize(("asked", "horizon"), [("forecast", 5), ("forecasting", 12)])
def test_only_pipelines_that_read_results_take_what_is_kept(project, asked, horizon):
    folder = Path("data/06_models/forecasting/airline")
    folder.mkdir(parents=True)
    (folder / "study.json").write_text('{"horizon": 5}')
    pipelines.set_requested([asked])
    try:
        loader = StudyConfigLoader(
            "conf",
            base_env="base",
            default_run_env="local",
            runtime_params={"series": "airline"},
            jobs=JOBS,
        )
        assert loader["parameters"]["forecasting"]["series"]["horizon"] == horizon
    finally:
        pipelines.set_requested(None)


# --- where files lie ------------------------------------------------------------------------------


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("suffix", [".CSV", ".Csv.GZ", ".XLSX", ".parquet", ""])
def test_the_file_of_a_series_is_found_whatever_the_case_of_its_suffix(suffix):
    place = f"data/01_raw/series/Report{suffix}"
    Path(place).touch()
    assert loaded(series="Report").forecasting.source == place
    missing = loaded(series="report").forecasting.source
    assert missing == "data/01_raw/series/report.csv"


@pytest.mark.usefixtures("project")
def test_two_files_of_one_name_are_both_named():
    for suffix in (".CSV", ".csv"):
        Path(f"data/01_raw/series/Report{suffix}").touch()
    with pytest.raises(InputError) as refused:
        loaded(series="Report")
    assert str(refused.value) == (
        "series 'Report': there are data/01_raw/series/Report.CSV and data/01_raw/series/Report.csv;"
        " say which by path=data/01_raw/series/Report.CSV, or keep one"
    )


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("rows", ["new.csv", "parts/new.csv"])
def test_rows_are_looked_for_in_the_projects_folder_and_then_among_the_series(rows):
    def found(asked):
        return loaded(rows=asked).forecast.rows

    assert found(rows) == rows
    place = Path("data/01_raw/series") / rows
    place.parent.mkdir(exist_ok=True)
    place.touch()
    assert found(rows) == str(place)
    assert found(str(place)) == str(place)
    assert found(str(place.resolve())) == str(place.resolve())
    Path(rows).parent.mkdir(exist_ok=True)
    Path(rows).touch()
    assert found(rows) == rows
    for other in ("s3://bucket/new.csv", "a\0b", "x" * 300, None):
        assert found(other) == other


# --- what is refused before any node --------------------------------------------------------------


def asked(text):
    """The study of `kedro run --params`."""
    return loaded(**split_params(text))


WHOLE = "expected whole numbers from 0 to 4294967295"
NAME = "names are of letters, digits, '_' and '-', since files bear them"
TAKEN = "that is the name of a baseline or of another part of the study"


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("length=1e3", "parameter 'length' is 1000.0; expected a whole number"),
        ("length='20'", "parameter 'length' is '20'; expected a whole number"),
        ("season=12.0", "parameter 'season' is 12.0; expected a whole number"),
        ("horizon=0", "parameter 'horizon' is 0; expected greater than or equal to 1"),
        (
            f"generate.seed=1{'0' * 22}",
            f"parameter 'generate.seed' is 1{'0' * 22}; expected a number below 4294967296",
        ),
        ("seeds=[²]", f"parameter 'seeds' lists '²'; {WHOLE}"),
        ("seeds=[10**23]", f"parameter 'seeds' lists '10**23'; {WHOLE}"),
        ("text.seeds=[-1]", f"parameter 'text.seeds' lists -1; {WHOLE}"),
        ("seeds=[true]", f"parameter 'seeds' lists True; {WHOLE}"),
        (
            "text.samples.temperatures=[0,-1]",
            "parameter 'text.samples.temperatures.1' is -1; expected a number from 0, which takes"
            " the likeliest character every time",
        ),
        (
            "text.samples.prompts=[]",
            "parameter 'text.samples.prompts' is []; expected at least one",
        ),
        ("text.model=>", "parameter 'text.model' is '>'; expected options, as in {key: value}"),
        ("training=3", "parameter 'training' is 3; expected options, as in {key: value}"),
        (
            "series_options=0",
            "parameter 'series_options' is 0; expected options, as in {key: value}",
        ),
        (
            "series_options.x=3",
            "parameter 'series_options.x' is 3; expected options, as in {key: value}",
        ),
        (
            "series=mine,validation=1e18",
            "parameter 'validation' is 1e+18; expected less than 4294967296",
        ),
        (
            "training.learning_rate=inf",
            "parameter 'training.learning_rate' is 'inf'; expected a number",
        ),
        (
            "training.learning_rate=.inf",
            "parameter 'training.learning_rate' is inf; expected a finite number",
        ),
        (
            "variant_options.gru.segment=2",
            "parameter 'variant_options.gru.segment' is no option of a language model, but"
            " text.variants lists this variant; leave it out of text.variants, or give the option to"
            " an entry of another name",
        ),
        (
            "variant_options.gru.forget_bias=x",
            "parameter 'variant_options.gru.forget_bias' is 'x'; expected a number or 'chrono'",
        ),
        (
            "series=mine,ds=a,y=a",
            "parameters under 'series_options.mine.columns': ds and y are both the column 'a';"
            " expected a column for each",
        ),
        (
            "series_options.airlin.horizon=3",
            "parameter 'series_options.airlin' is of a series that this run does not read; series is"
            " 'sunspots': name the other by series, or leave its options out",
        ),
        (
            "variants=[a/b],variant_options={a/b: {}}",
            f"parameter 'variants' lists 'a/b', but {NAME}; rename its entry in variant_options",
        ),
        (
            "variants=[x.seed_1],variant_options={x.seed_1: {}}",
            f"parameter 'variants' lists 'x.seed_1', but {NAME}; rename its entry in variant_options",
        ),
        (
            "variants=[ridge],variant_options.ridge.cell=gru",
            f"parameter 'variants' lists 'ridge', but {TAKEN}; rename its entry in variant_options",
        ),
        (
            "text.variants=[rows],variant_options.rows.cell=gru",
            f"parameter 'text.variants' lists 'rows', but {TAKEN}; rename its entry in variant_options",
        ),
        (
            "gradients.lengths=[1]",
            "parameter 'gradients.lengths' lists 1; expected whole numbers from 2 to 100000",
        ),
        (
            "series_options.sunspots.model.hiden=3",
            "parameter 'series_options.sunspots.model.hiden' is unknown; did you mean 'hidden'?",
        ),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_before_any_node(text, sentence):
    with pytest.raises(InputError) as refused:
        asked(text)
    assert str(refused.value) == sentence


@pytest.mark.usefixtures("project")
def test_what_is_asked_for_beats_an_entry_and_a_variants_own_entry_beats_that_of_a_series():
    study = asked("corpus=tang,text.samples.length=7,text.model.hidden=8,training.epochs=3")
    assert study.text.samples.length == 7
    assert study.text.contenders["gru"].model.hidden == 8
    assert study.forecasting.contenders["gru"].training.epochs == 3
    model = asked("variants=[gru,segment_gru]").forecasting.contenders
    assert (model["gru"].model.segment, model["segment_gru"].model.segment) == (16, 4)
    wider = asked("variants=[segment_gru],variant_options.segment_gru.segment=16").forecasting
    assert wider.contenders["segment_gru"].model.segment == 16
