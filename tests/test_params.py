"""What `--params` and `--set` make of what is typed."""

from functools import partial

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from unrolled import params
from unrolled.cli import split_params
from unrolled.errors import InputError
from unrolled.pipelines.jobs import JOBS
from unrolled.study import StudyConfigLoader, kind_of, kinds_of, short_of


def set_one(text: str) -> dict[str, object]:
    return params.one(text, partial(kind_of, JOBS))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXTS)
@example("${oc.env:HOME}")
@example("a]},{b\n# 'x', length=3")
@example("null")
def test_set_takes_any_text_as_it_stands(text):
    assert set_one(f"prompt={text}") == {"prompt": text}
    assert set_one(f"series_options.mine.columns.y={text}") == {
        "series_options": {"mine": {"columns": {"y": text}}}
    }


@given(TEXTS)
@example("it's")
def test_quotes_hold_any_text_in_params(text):
    quoted = "'" + text.replace("'", "''") + "'"
    found = {"prompt": text, "length": 5, "text": {"samples": {"prompts": [text, "b"]}}}
    typed = f"prompt={quoted},length=5,text.samples.prompts=[{quoted}, b]"
    assert split_params(typed) == found


@pytest.mark.parametrize(
    "text",
    [
        *("${x}", "${oc.env:HOME}", "???", "a\nb, c", "}", "a]},{b", "a, b==c", "#n", "ROMEO: "),
        *("12", "on", "NA", "1e5", "007", "null", "it's [well]", "'a' b", ""),
    ],
)
def test_text_needs_no_quotes_up_to_the_next_key(text):
    for key in ("prompt", "corpus", "series", "y", "encoding"):
        assert split_params(f"{key}={text},length=20") == {key: text, "length": 20}
    assert split_params(f"length=20,prompt={text}") == {"prompt": text, "length": 20}


def test_names_in_lists_and_mappings_are_text_as_well():
    assert split_params("variants=[on, 007, 'a, b'],seeds=[0, 1]") == {
        "variants": ["on", "007", "a, b"],
        "seeds": [0, 1],
    }
    assert split_params("variants=007,baselines=[]") == {"variants": "007", "baselines": []}
    assert split_params("text.samples={prompts: [1e5, ${x}, '', null], length: 5}") == {
        "text": {"samples": {"prompts": ["1e5", "${x}", "", "null"], "length": 5}}
    }


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("{season: 12, lags: [12]}", {"season": 12, "lags": [12]}),
        ("{season: 12, columns: {ds: a, y: #b}}", {"season": 12, "columns": {"ds": "a", "y": "#b"}}),
        ("{es: off, test: .2, fill: linear, path: null}", {"es": False, "test": 0.2, "fill": "linear", "path": None}),
        ("{model: {segment: 4}, training: {learning_rate: 1e-3},}", {"model": {"segment": 4}, "training": {"learning_rate": 1e-3}}),
    ],
)  # fmt: skip
def test_brackets_may_stand_in_brackets(typed, found):
    assert split_params(f"series_options.mine={typed},seeds=[0]") == {
        "series_options": {"mine": found},
        "seeds": [0],
    }
    assert set_one(f"series_options.mine={typed}") == {"series_options": {"mine": found}}


def test_where_there_may_be_no_text_null_says_so():
    assert split_params("model=null,rows=null,unique_id=null") == {
        "model": None,
        "rows": None,
        "unique_id": None,
    }
    assert split_params("unique_id='null'") == {"unique_id": "null"}


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (
            ",..=1",
            "--params has '..=1'; expected key=value, with commas between them and lists in brackets:"
            ' --params "series=sunspots,variants=[gru,lstm]"',
        ),
        (
            "seeds[0]=3",
            "--params has 'seeds[0]=3'; expected key=value, with commas between them and lists in"
            ' brackets: --params "series=sunspots,variants=[gru,lstm]"',
        ),
        (
            "horizon=6,horizon=7",
            "the command line gives 'horizon' twice, as 6 and as 7; keep one",
        ),
        (
            "seeds=[0,1",
            "--params or --set has '[0,1'; expected every bracket closed, and text with commas or"
            " brackets in quotes",
        ),
        ("seeds=[0]]", "--params or --set has '[0]]'; expected a comma after the bracket that closes"),
        ("training={epochs}", "--params or --set has 'epochs}'; expected key: value inside {}"),
        (
            "training={epochs: 1, epochs: 2}",
            "--params or --set has '{epochs: 1, epochs: 2}'; expected each key once, but 'epochs'"
            " stands there twice",
        ),
        (
            r'prompt="\x41"',
            r"""--params has '"\\x41"'; expected escapes in double quotes as JSON has them, such as"""
            r" \n, or single quotes",
        ),
        (
            "prompt=ab\udcff",
            r"--params has '\udcff' at character 10, which is no text; expected UTF-8, so set the"
            " terminal to it",
        ),
        (
            "seeds=" + "[" * 5000,
            f"--params or --set has '{'[' * 29}...{'[' * 29}'; expected a few brackets in one another",
        ),
        (
            "a" + ".a" * 5000 + "=1",
            f"--params has the key '{'a.' * 14}a...a{'.a' * 14}' of 5001 parts; expected a few",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_shown(typed, sentence):
    with pytest.raises(InputError) as refused:
        split_params(typed)
    assert str(refused.value) == sentence


def test_every_parameter_has_its_kind():
    text = {
        key
        for key in [*kinds_of(JOBS), *short_of(JOBS)["series"], *short_of(JOBS)["corpus"]]
        if kind_of(JOBS, (key,)) != "other"
    }
    assert text >= {
        *("series", "corpus", "job", "rows", "model", "prompt"),
        *("unique_id", "ds", "y", "path", "licence", "unit", "generator", "fill", "transform"),
        *("encoding", "undecodable", "boundaries"),
    }  # fmt: skip
    assert not text & {
        "variants",
        "seeds",
        "length",
        "horizon",
        "season",
        "test",
        "lags",
        "es",
        "training",
    }


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("text", ["${x}", "${oc.env:HOME}", "${study:corpus}", "???", "a\\${b}"])
def test_text_never_meets_the_reader_of_conf(text):
    asked = split_params(f"series=mine,unit={text},path={text},prompt={text},rows={text}")
    loader = StudyConfigLoader(
        "conf", base_env="base", default_run_env="local", runtime_params=asked, jobs=JOBS
    )
    parameters = loader["parameters"]
    assert parameters["prompt"] == parameters["rows"] == text
    assert parameters["forecasting"]["series"]["unit"] == text
    assert loader.study.forecasting.source == text
