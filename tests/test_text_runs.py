"""Whole runs of the text job: the contract of files, what leaks, what bad files are told."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

from unrolled.tracking import client_of

pytestmark = pytest.mark.slow

Run = Callable[..., Result]

SMALL = "text.model.hidden=16,text.training.epochs=1,text.seeds=[0,1],text.variants=[gru,lstm]"
LINES = [f"{word} {i % 7} the quick brown fox {i} jumps\n" for i in range(60) for word in "abc"]


def run_text(kedro_run: Run, params: str) -> Result:
    return kedro_run("--pipelines=text", "--params", params)


def corpus_file(project: Path, content: str | bytes, name: str = "mine") -> None:
    path = project / f"data/01_raw/corpora/{name}.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def test_a_run_leaves_the_leaderboard_samples_and_runs_of_the_contract(
    kedro_run: Run, project: Path
) -> None:
    corpus_file(project, "".join(LINES))
    result = run_text(kedro_run, f"corpus=mine,{SMALL}")
    assert result.exit_code == 0, result.output + str(result.exception)
    report, output = (
        project / f"data/{layer}/text/mine" for layer in ("08_reporting", "07_model_output")
    )
    board = pd.read_csv(report / "leaderboard.csv")
    assert list(board) == [
        "variant", "bits_per_char", "bits_per_char_std", "nats_per_char", "perplexity",
        "bits_per_byte", "kind", "seeds", "parameters", "train_seconds",
    ]  # fmt: skip
    assert board["bits_per_char"].is_monotonic_increasing
    assert set(board.loc[board["kind"] == "recurrent", "variant"]) == {"gru", "lstm"}
    uniform = board.set_index("variant").loc["uniform"]
    vocabulary = json.loads((project / "data/04_feature/text/mine/vocabulary.json").read_text())
    size = len(vocabulary["characters"]) + 1  # <unk>
    assert uniform["bits_per_char"] == pytest.approx(np.log2(size))
    samples = json.loads((output / "samples.json").read_text())
    assert {sample["variant"] for sample in samples} == {"gru", "lstm"}
    assert all({"temperature", "prompt", "text", "longest_copied_run"} <= set(s) for s in samples)
    described = (report / "samples.md").read_text()
    assert all(sample["text"].split("\n")[0] in described for sample in samples)
    assert "documents that keep the form" not in described
    for picture in ("losses", "connectivity", "units"):
        for ending in ("png", "json"):
            assert (report / f"gru/seed_0.{picture}.{ending}").exists()
            assert not (report / f"gru/seed_1.{picture}.{ending}").exists()
    page = (report / "report.html").read_text()
    for variant in ("gru", "lstm"):
        for title in ("Loss of each character", "Connectivity", "Units that follow the text"):
            assert page.count(f'<img alt="{title}, {variant}"') == 1
    assert page.count("<blockquote>") == len(samples)
    units = pd.read_csv(report / "lstm/seed_0.units.csv")
    assert {"characters of the line", "characters of the clause"} >= set(units["feature"])
    assert "mine: " in result.output
    assert "state carried; seeds 0, 1" in result.output
    client = client_of(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("text/mine")
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert len(runs) == 1 + 2 + 2 * 2 + 4
    child = next(run for run in runs if run.data.tags.get("variant") == "lstm")
    assert child.data.tags["corpus"] == "mine"
    assert {"bits_per_char", "validation_loss", "train_loss"} <= set(child.data.metrics)
    cards = [
        json.loads((project / f"data/06_models/text/mine/{name}.json").read_text())
        for name in ("gru/seed_0", "gru/seed_1", "lstm/seed_0", "lstm/seed_1")
    ]
    best = min(cards, key=lambda card: card["validation_loss"])
    written = kedro_run("--pipelines=generate", "--params", "corpus=mine,prompt=a 3,length=20")
    assert written.exit_code == 0, written.output + str(written.exception)
    assert f"mine, {best['variant']} seed {best['seed']}: " in written.output
    text = (output / "generated.txt").read_text()
    assert len(text) == len("a 3") + 20 + 1
    assert text in written.output


@pytest.mark.usefixtures("untracked")
def test_poems_that_keep_the_form_are_counted(kedro_run: Run, project: Path) -> None:
    corpus_file(project, "".join(f"{a}月，{b}。\n" for a in "床前明天地" for b in "光霜山水风花雪"))
    form = "corpus_options.mine.boundaries=line,corpus_options.mine.samples.form=.月，.。"
    small = "text.model.hidden=16,text.training.epochs=40,text.training.learning_rate=0.02"
    result = run_text(kedro_run, f"corpus=mine,{form},{small}")
    assert result.exit_code == 0, result.output + str(result.exception)
    path = "data/07_model_output/text/mine/samples.json"
    shares = [row["form_share"] for row in json.loads((project / path).read_text())]
    assert all(0.5 < share <= 1 for share in shares)
    described = (project / "data/08_reporting/text/mine/samples.md").read_text()
    assert f"| {shares[0]:.0%} |" in described


@pytest.mark.usefixtures("untracked")
def test_nothing_that_was_learnt_saw_held_out_text(kedro_run: Run, project: Path) -> None:
    """A character planted in the test part changes neither vocabulary nor weights."""
    text = "".join(LINES)
    small = SMALL.replace("[0,1]", "[0]").replace("[gru,lstm]", "[gru]")
    seen = [
        "data/04_feature/text/mine/vocabulary.json",
        "data/05_model_input/text/mine/train.npy",
        "data/06_models/text/mine/gru/seed_0.safetensors",
        "data/06_models/text/mine/gru/seed_0.history.csv",
    ]
    found = []
    for content in (text, text[:-20] + "語" * 20):
        corpus_file(project, content)
        assert run_text(kedro_run, f"corpus=mine,{small}").exit_code == 0
        found.append({name: (project / name).read_bytes() for name in seen})
    assert found[0] == found[1]
    coverage = json.loads((project / "data/08_reporting/text/mine/coverage.json").read_text())
    assert coverage["test"]["unknown"] == 20


@pytest.mark.usefixtures("untracked")
def test_training_goes_on_from_the_weights_of_another_corpus(kedro_run: Run, project: Path) -> None:
    corpus_file(project, "".join(LINES) * 3, "old")
    corpus_file(project, "".join(LINES[:40]).replace("fox", "ożx"), "mine")
    small = "text.model.hidden=16,text.baselines=[unigram],text.training.epochs"
    assert run_text(kedro_run, f"corpus=old,{small}=3").exit_code == 0
    folder = project / "data/06_models/text"
    cards, weights = [], []
    on = ",text.training.init_from=old/gru"
    for more in ("", on, on):
        result = run_text(kedro_run, f"corpus=mine,{small}=0.1{more}")
        assert result.exit_code == 0, result.output + str(result.exception)
        said = " ".join(result.output.split())
        new = "1 of 32 characters are new to old/gru; those that it knows are 96.9 % of the train part"
        assert (new in said) == bool(more)
        assert "old/gru has learnt from" not in said
        cards.append(json.loads((folder / "mine/gru/seed_0.json").read_text()))
        weights.append((folder / "mine/gru/seed_0.safetensors").read_bytes())
    anew, first, _ = cards
    assert anew["origin"] is None
    source = (folder / "old/gru/seed_0.safetensors").read_bytes()
    assert first["origin"] == {
        "init_from": "old/gru", "seed": 0, "sha256": hashlib.sha256(source).hexdigest(),
    }  # fmt: skip
    assert first["validation_loss"] < anew["validation_loss"]
    assert weights[1] == weights[2] != weights[0]


@pytest.mark.usefixtures("untracked")
def test_a_start_that_cannot_be_is_refused_before_any_training(
    kedro_run: Run, project: Path
) -> None:
    corpus_file(project, "".join(LINES), "old")
    corpus_file(project, "".join(LINES), "mine")
    small = "text.model.hidden=16,text.baselines=[unigram]"
    assert run_text(kedro_run, f"corpus=old,{small}").exit_code == 0
    said = "parameter 'text.training.init_from' is"
    for init_from, more, sentence in (
        ("old", "", f"{said} 'old'; expected corpus/variant, such as tang/gru"),
        (
            "mine/gru", "",
            f"{said} 'mine/gru', of the very corpus whose models this run replaces; give the new text"
            " a name of its own",
        ),
        (
            "nowhere/gru", "",
            f"file '{project}/data/06_models/text/nowhere/winner.json' does not exist, so nothing has"
            " been compared yet on this data set, 'nowhere'; run the pipeline text first",
        ),
        (
            "old/lstm", "",
            f"{said} 'lstm'; expected a row of the leaderboard of 'old': unigram, gru",
        ),
        (
            "old/unigram", "",
            f"{said} 'old/unigram', which counts n-grams; expected a language model: gru",
        ),
        (
            "old/gru", "text.model.embedding=8,text.variants=[lstm]",
            f"{said} 'old/gru', a network with cell gru, embedding 64, but variant 'lstm' has cell"
            " lstm, embedding 8; give it the same by text.model or in variant_options, or leave"
            " init_from out",
        ),
        (
            "old/gru", "boundaries=line",
            f"{said} 'old/gru', which has read one text without ends, but this corpus is documents"
            " with ends; give both the same boundaries",
        ),
    ):  # fmt: skip
        params = f"corpus=mine,{small},text.training.init_from={init_from},{more}".rstrip(",")
        refused(run_text(kedro_run, params), sentence)
        assert not (project / "data/06_models/text/mine/gru").exists()


def refused(result: Result, sentence: str) -> None:
    assert result.exit_code == 1
    assert result.output.strip().splitlines()[-1] == f"Error: {sentence}"
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "corpus 'mine': the file is empty; expected text"),
        (
            b"PK\x03\x04\x00\x01",
            "corpus 'mine': the file is binary, byte 4 is NUL; expected text in utf-8; if it is,"
            " corpus_options.mine.drop_control=true leaves NUL out",
        ),
        (
            "床前明月光".encode("gb18030") * 50,
            "corpus 'mine': 153 of 500 bytes are not utf-8, the first at byte offset 0; name the"
            " file's encoding by corpus_options.mine.encoding (gb18030 or utf-16-le for many"
            " Chinese texts, cp1252 for many Western ones), or set undecodable to drop",
        ),
        (
            "a",
            "corpus 'mine': 1 characters cannot be split, validation 0.1 and test 0.1 need at least"
            " 11; add text or change the shares",
        ),
    ],
)
@pytest.mark.usefixtures("untracked")
def test_a_file_that_is_no_corpus_is_told_why(
    kedro_run: Run, project: Path, content: bytes | str, sentence: str
) -> None:
    corpus_file(project, content)
    refused(run_text(kedro_run, "corpus=mine"), sentence)


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        (
            "corpus=nowhere",
            "corpus file '{project}/data/01_raw/corpora/nowhere.txt' does not exist; put a .txt file"
            " into data/01_raw/corpora, or name its path in conf/base/parameters/corpora.yml",
        ),
        (
            "corpus=mine,corpus_options.mine.path=data/01_raw/corpora",
            "corpus file '{project}/data/01_raw/corpora' is a folder; expected one text file: put"
            " all texts into one, and say by corpus_options.NAME.boundaries what ends each",
        ),
        (
            "corpus=../secret",
            "parameter 'corpus' is '../secret'; expected a name of letters, digits, '_', '-' and"
            " '.', since output files bear it; give a path by corpus_options.NAME.path",
        ),
        ("text.variant=[gru]", "parameter 'text.variant' is unknown; did you mean 'variants'?"),
        (
            "text.variants=[bi_gru]",
            "parameters under 'variant_options.bi_gru': bidirectional true reads what it is asked"
            " for: a loss stands on every step; set bidirectional to false",
        ),
        (
            "text.baselines=[kneser_ney_9]",
            "parameter 'text.baselines' lists 'kneser_ney_9', which is unknown; did you mean"
            " 'kneser_ney_6'?",
        ),
        (
            "corpus_options.tang.samples.form=(a",
            "parameter 'corpus_options.tang.samples.form' is '(a'; expected a regular expression,"
            " but missing ), unterminated subpattern at position 0",
        ),
        (
            "text.training.chunk=0",
            "parameter 'text.training.chunk' is 0; expected greater than or equal to 1",
        ),
    ],
)
@pytest.mark.usefixtures("untracked")
def test_a_wrong_parameter_of_the_text_job_is_named(
    kedro_run: Run, project: Path, params: str, sentence: str
) -> None:
    refused(run_text(kedro_run, params), sentence.format(project=project))


@pytest.mark.parametrize(
    "content",
    [
        ("to be or not to be, that is the question. " * 5)[:200],
        "a" * 200,
        "0123456789\n",  # the least: two characters each to validate and to test on
        ("“子曰”（学而）：\n" * 25)[:200],
    ],
)
@pytest.mark.usefixtures("untracked")
def test_a_small_file_still_runs(kedro_run: Run, project: Path, content: str) -> None:
    corpus_file(project, content)
    result = run_text(kedro_run, "corpus=mine")
    assert result.exit_code == 0, result.output + str(result.exception)
    assert "The champion " in result.output


@pytest.mark.usefixtures("untracked")
def test_documents_too_few_to_split_are_told_so(kedro_run: Run, project: Path) -> None:
    corpus_file(project, "one\ntwo\n")
    refused(
        run_text(kedro_run, "corpus=mine,corpus_options.mine.boundaries=line"),
        "corpus 'mine': none of its 2 documents falls to test; add documents, change the"
        " shares of validation and test, or set boundaries to none",
    )


@pytest.mark.usefixtures("untracked")
def test_a_refused_run_leaves_what_the_last_one_was_run_with(kedro_run: Run, project: Path) -> None:
    corpus_file(project, ("床前明月光，疑是地上霜。\n" * 20).encode("gb18030"))
    small = "corpus=mine,text.model.hidden=8,text.baselines=[]"
    assert run_text(kedro_run, f"{small},encoding=gb18030").exit_code == 0
    assert run_text(kedro_run, small).exit_code == 1
    kept = json.loads((project / "data/06_models/text/mine/study.json").read_text())
    assert kept["encoding"] == "gb18030"
    written = kedro_run("--pipelines=generate", "--params", "corpus=mine,length=5")
    assert written.exit_code == 0, written.output + str(written.exception)


@pytest.mark.usefixtures("untracked")
def test_another_encoding_is_read_where_it_is_named(kedro_run: Run, project: Path) -> None:
    corpus_file(project, ("床前明月光，疑是地上霜。\n" * 20).encode("gb18030"))
    result = run_text(kedro_run, "corpus=mine,corpus_options.mine.encoding=gb18030")
    assert result.exit_code == 0, result.output + str(result.exception)
    assert (project / "data/02_intermediate/text/mine/normalised.txt").read_text()[:2] == "床前"


@pytest.mark.usefixtures("untracked")
def test_a_path_may_begin_at_home_and_hold_spaces(
    kedro_run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(project))
    (project / "my notes, old #1 (床).txt").write_text("".join(LINES))
    with (project / "conf/quick/parameters/text.yml").open("a") as file:
        file.write('  mine: {path: "~/my notes, old #1 (床).txt"}\n')
    result = run_text(kedro_run, "corpus=mine,text.model.hidden=8")
    assert result.exit_code == 0, result.output + str(result.exception)


@pytest.mark.usefixtures("untracked")
def test_the_tutorials_one_sentence_runs(kedro_run: Run) -> None:
    result = run_text(kedro_run, "corpus=tutorial")
    assert result.exit_code == 0, result.output + str(result.exception)
