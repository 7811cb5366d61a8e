"""Texts and command lines that people have, each through a whole run."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("untracked")]

Case = Callable[[str], Path]
Run = Callable[..., Result]

SMALL = "text.model.hidden=16,text.samples.length=1"


def text(kedro_run: Run, params: str) -> Result:
    return kedro_run("--pipelines=text", "--params", params)


def said(result: Result) -> str:
    return " ".join(result.output.split())


def test_names_are_scored_finitely_and_pay_for_their_ends(
    case: Case, project: Path, kedro_run: Run
) -> None:
    path = case("text/names_mkn_inf.txt")
    baselines = "unigram,kneser_ney_4,kneser_ney_6,modified_kneser_ney_6,xz"
    done = text(
        kedro_run,
        f"corpus=names,path={path},boundaries=line,text.baselines=[{baselines}],{SMALL},"
        "text.training.epochs=1",
    )
    assert done.exit_code == 0, done.output
    report = Path("data/08_reporting/text/names")
    board = pd.read_csv(report / "leaderboard.csv").set_index("variant")["bits_per_char"]
    assert board["kneser_ney_6"] == pytest.approx(2.357, abs=5e-4)
    assert board["kneser_ney_4"] == pytest.approx(2.202, abs=5e-4)
    assert board["xz"] == pytest.approx(2.258, abs=5e-4)
    assert board["kneser_ney_4"] < board["modified_kneser_ney_6"] < board["unigram"]
    assert board["kneser_ney_4"] < board["gru"]
    for file in Path("data").rglob("*.json"):
        assert "Infinity" not in file.read_text(), file


def sentence(result: Result) -> str:
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    return result.output.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ("length=1e3", "parameter 'length' is 1000.0; expected a whole number"),
        ("length='20'", "parameter 'length' is '20'; expected a whole number"),
        ("generate.seed=12345678901234567890123", "parameter 'generate.seed' is"),
        (
            "text.samples.prompts=[]",
            "parameter 'text.samples.prompts' is []; expected at least one",
        ),
        ("text.model=>", "parameter 'text.model' is '>'; expected options"),
        ("training=3", "parameter 'training' is 3; expected options"),
        ("series_options=0", "parameter 'series_options' is 0; expected options"),
        ("seeds=[²]", "parameter 'seeds' lists '²'; expected whole numbers from 0"),
        ("seeds=[100000000000000000000000]", "expected whole numbers from 0 to 4294967295"),
        ("variant_options.a/b={cell: gru},variants=[a/b]", "a/b={cell"),
        ("variant_options.ridge={cell: gru},variants=[ridge]", "'ridge'"),
        ("variant_options.x.seed_1={cell: gru},variants=[x.seed_1]", "'x.seed_1'"),
        ("season=500,horizon=6,lookback=12", "series 'airline'"),
        ("validation=1e18", "validation"),
        ("ds=a,y=a", "'a'"),
    ],
)
def test_a_value_that_a_later_node_would_refuse_stops_the_run_before_any(
    project: Path, kedro_run: Run, params: str, expected: str
) -> None:
    found = sentence(kedro_run("--params", params))
    assert expected in found
    assert not Path("data/06_models").exists() or not list(
        Path("data/06_models").rglob("*.safetensors")
    )


def test_nested_brackets_may_follow_a_comma(project: Path, kedro_run: Run) -> None:
    done = kedro_run(
        "--params",
        "series_options.airline={season: 12, columns: {ds: ds, y: y}, lags: [12]},variants=[gru],"
        "seeds=[0],baselines=[seasonal_naive],training.epochs=1",
    )
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("name", ["007", "1e5", "on", "null"])
def test_a_name_is_text(project: Path, kedro_run: Run, name: str) -> None:
    place = project / f"data/01_raw/corpora/{name}.txt"
    place.write_text("abcdefgh " * 99)
    done = text(kedro_run, f"corpus={name},text.baselines=[],{SMALL},text.training.epochs=1")
    assert done.exit_code == 0, done.output
    assert (project / f"data/08_reporting/text/{name}/leaderboard.csv").exists()


def test_a_prompt_is_text_as_it_stands(project: Path, kedro_run: Run) -> None:
    (project / "data/01_raw/corpora/mine.txt").write_text("kalomi, xé}]{[$?=\n" * 99)
    done = text(kedro_run, f"corpus=mine,text.baselines=[],{SMALL},text.training.epochs=1")
    assert done.exit_code == 0, done.output
    written = Path("data/07_model_output/text/mine/generated.txt")
    for typed, prompt in {
        "prompt=${x}": "${x}",
        "prompt=${oc.env:HOME}": None,  # whose letters are unknown, and named
        "prompt='ka\nlo, mi'": "ka\nlo, mi",
        "prompt=a]},{": "a]},{",
        "prompt=},length=2": "}",
        "prompt=xe\u0301": "xé",
    }.items():
        done = kedro_run(
            "--pipelines=generate",
            "--params",
            f"corpus=mine,length=2,{typed}".replace(
                "length=2,prompt=},length=2", "prompt=},length=2"
            ),
        )
        assert done.exit_code == 0, typed + done.output
        if prompt is None:
            assert "does not know" in said(done)
        else:
            assert written.read_text().startswith(prompt), typed
            assert "does not know" not in said(done)
    unknown = kedro_run("--pipelines=generate", "--params", "corpus=mine,length=2,prompt=???Z")
    assert unknown.exit_code == 0
    assert "'Z'" in said(unknown)
    for extreme in (
        "temperature=1e-40",
        "temperature=1e300",
        "top_p=1e-50",
        "temperature=0",
        "repetition_penalty=1e-60",
    ):
        done = kedro_run(
            "--pipelines=generate", "--params", f"corpus=mine,length=9,prompt=ka,generate.{extreme}"
        )
        assert done.exit_code == 0, done.output
        assert set(written.read_text()) <= set("kalomi, xé}]{[$?=\n")


def test_utf_32_is_read(project: Path, kedro_run: Run) -> None:
    file = project / "data/01_raw/corpora/mine.txt"
    file.write_bytes(("abcdefgh é\n" * 99).encode("utf-32"))
    done = text(kedro_run, f"corpus=mine,text.baselines=[],{SMALL},text.training.epochs=1")
    assert (
        "begins like UTF-32, but encoding is utf-8; set corpus_options.mine.encoding"
        in sentence(done)
    )
    done = text(
        kedro_run, f"corpus=mine,encoding=utf-32,text.baselines=[],{SMALL},text.training.epochs=1"
    )
    assert done.exit_code == 0, done.output
    known = json.loads((project / "data/04_feature/text/mine/vocabulary.json").read_text())
    assert "é" in known["characters"]
    assert "\0" not in known["characters"]


def test_four_kilobytes_are_read_often_enough_to_beat_the_unigram(
    project: Path, kedro_run: Run
) -> None:
    plays = (project / "data/01_raw/corpora/shakespeare.txt").read_bytes()
    (project / "data/01_raw/corpora/mine.txt").write_bytes(plays[:4096])
    small = "corpus=mine,text.training.evaluations=10,text.baselines=[unigram,kneser_ney_2]"
    done = text(kedro_run, f"{small},text.training.epochs=null")
    assert done.exit_code == 0, done.output
    assert "gru seed 0: 100 epochs, validation loss " in done.output
    folder = project / "data/08_reporting/text/mine"
    bits = pd.read_csv(folder / "leaderboard.csv").set_index("variant")["bits_per_char"]
    assert bits["gru"] < bits["kneser_ney_2"] < bits["unigram"]
    assert "Even the unigram" not in done.output
    # An option that is said counts.
    done = text(kedro_run, f"{small},text.training.epochs=0.5")
    assert "gru seed 0: 0.5 epochs, validation loss " in done.output
    advice = "raise text.training.epochs (now 0.5), since the validation loss was lowest at the end"
    assert advice in done.output
    assert advice in (folder / "report.html").read_text()
    assert advice in (folder / "card.md").read_text()


def test_a_replaced_file_trained_with_fewer_seeds_writes_by_its_own_models(
    project: Path, kedro_run: Run
) -> None:
    """The old seed 1 has the lower loss, and the same alphabet."""
    file = project / "data/01_raw/corpora/mine.txt"
    for content, seeds, epochs in (("abc" * 99, "[0,1]", 20), ("acb" * 99, "[0]", 1)):
        file.write_text(content)
        done = text(
            kedro_run,
            f"corpus=mine,text.baselines=[],{SMALL},text.seeds={seeds},text.training.epochs={epochs}",
        )
        assert done.exit_code == 0, done.output
    found = said(kedro_run("--pipelines=generate", "--params", "corpus=mine,length=3"))
    assert "mine, gru seed 0: " in found
    assert "last are left out: 1" in found
    card = project / "data/06_models/text/mine/gru/seed_0.json"
    card.write_text(card.read_text().replace('"hidden": 16', '"hidden": 17'))
    changed = kedro_run("--pipelines=generate", "--params", "corpus=mine,length=3")
    assert f"Error: file '{card}' has SHA-256 " in changed.output
