"""Whole runs of `generate`: what is written, from which model, and what bad prompts are told."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from tests.projects import once

from unrolled.datasets import NpyDataset, SafetensorsDataset, as_safetensors
from unrolled.recurrent.options import LanguageOptions
from unrolled.text import vocabulary
from unrolled.training.cards import LanguageCard
from unrolled.training.loop import best
from unrolled.training.options import TextTrainOptions
from unrolled.training.text import fit_language_model

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("untracked")]

Run = Callable[..., Result]
Generate = Callable[[str], Result]

POEMS = ["床前明月光，疑是地上霜。", "举头望明月，低头思故乡。", "春眠不觉晓，处处闻啼鸟。"]


def train(project: Path, variant: str, texts: list[str], epochs: int, seed: int = 0) -> None:
    """Leave a model of the corpus `mine`, and the text last read, where the text job leaves them."""
    known = vocabulary.build(POEMS, boundaries=True)
    ids = vocabulary.encode(texts, known)
    for part in ("train", "validation"):
        NpyDataset(filepath=str(project / f"data/05_model_input/text/mine/{part}.npy")).save(ids)
    model = LanguageOptions(hidden=16, embedding=8)
    training = TextTrainOptions(epochs=epochs, batch_size=2, learning_rate=0.03)
    weights, history, _ = fit_language_model(ids, ids, known, model, training, seed)
    card = LanguageCard(
        variant=variant,
        seed=seed,
        parameters=None,
        train_seconds=1,
        model=model,
        training=training,
        passes=epochs,
        step=best(history).step,
        validation_loss=best(history).validation_loss,
        vocabulary=known.fingerprint,
        text=vocabulary.digests(ids, ids),
        sha256=hashlib.sha256(as_safetensors(weights)).hexdigest(),
        origin=None,
    )
    place = project / f"data/06_models/text/mine/{variant}/seed_{seed}.safetensors"
    SafetensorsDataset(filepath=str(place)).save(weights)
    place.with_suffix(".json").write_text(card.model_dump_json())
    place = project / "data/04_feature/text/mine/vocabulary.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(known.model_dump_json())


@pytest.fixture
def generate(kedro_run: Run, project: Path, shared: Path) -> Generate:
    """Run `generate` where a model that knows its poems by heart lies beside a worse one."""

    def make(folder: Path) -> None:
        train(folder, "gru", POEMS, epochs=60)
        train(folder, "lazy", POEMS, epochs=1)

    shutil.copytree(once(shared / "writers", make), project, dirs_exist_ok=True)
    return lambda params: kedro_run(
        "--pipelines=generate", "--params", f"corpus=mine,{params}".rstrip(",")
    )


def saved(project: Path) -> str:
    return (project / "data/07_model_output/text/mine/generated.txt").read_text()


def printed(result: Result) -> str:
    """What stands on the screen between the lines of the log."""
    assert result.exit_code == 0, result.output + str(result.exception)
    return result.output


def refused(result: Result, sentence: str) -> None:
    assert result.exit_code == 1
    assert result.output.strip().splitlines()[-1] == f"Error: {sentence}"
    assert "Traceback" not in result.output


def test_the_best_model_writes_on_from_the_prompt_to_the_screen_and_the_file(
    generate: Generate, project: Path
) -> None:
    found = printed(generate("prompt=床前,length=100,generate.method=greedy"))
    assert saved(project) == f"{POEMS[0]}\n"
    assert f"\n{POEMS[0]}\n" in found
    assert "mine, gru seed 0: " in found


@pytest.mark.parametrize(
    "options", ["temperature=0", "temperature=1e-40", "top_p=1e-50", "beam=1", "min_p=1"]
)
def test_the_limits_of_chance_are_the_likeliest_text(
    generate: Generate, project: Path, options: str
) -> None:
    printed(generate(f"prompt=床前,length=100,generate.{options}"))
    assert saved(project) == f"{POEMS[0]}\n"


@pytest.mark.parametrize("options", ["temperature=1e300", "repetition_penalty=1e-60"])
def test_only_characters_are_written_whatever_the_options(
    generate: Generate, project: Path, options: str
) -> None:
    printed(generate(f"prompt=床前,length=100,generate.number=5,generate.{options}"))
    assert set(saved(project)) <= {*"".join(POEMS), "\n"}


def test_no_more_is_written_than_asked_for(generate: Generate, project: Path) -> None:
    printed(generate("prompt=床前,length=3,generate.method=greedy"))
    assert saved(project) == POEMS[0][:5] + "\n"


def test_the_same_seed_writes_the_same_texts_and_another_seed_others(
    generate: Generate, project: Path
) -> None:
    found = []
    for seed in (0, 0, 1):
        printed(generate(f"generate.seed={seed},generate.temperature=3,generate.number=4"))
        found.append(saved(project))
    assert found[0] == found[1] != found[2]
    assert len(set(found[0].strip().split("\n\n"))) > 1


def test_a_beam_writes_the_likeliest_texts_best_first(generate: Generate, project: Path) -> None:
    printed(generate("prompt=举头,generate.beam=3,generate.number=2"))
    texts = saved(project).strip().split("\n\n")
    assert texts[0] == POEMS[1]
    assert len(set(texts)) == 2


def test_an_empty_prompt_begins_a_document(generate: Generate, project: Path) -> None:
    printed(generate("generate.method=greedy"))
    assert saved(project).strip() in POEMS


def test_unknown_characters_of_a_prompt_are_named_and_never_written(
    generate: Generate, project: Path
) -> None:
    found = printed(generate("prompt=x床y,generate.temperature=5,generate.number=3,length=20"))
    message = "prompt 'x床y': the model does not know 'x', 'y'; read as <unk>"
    assert " ".join(found.split()).count(message) == 1
    texts = saved(project).strip().split("\n\n")
    assert len(texts) == 3
    assert all(text.startswith("x床y") for text in texts)
    assert all(set(text[3:]) <= set("".join(POEMS)) for text in texts)


def test_a_prompt_is_read_as_its_corpus_was(
    kedro_run: Run, project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Marks apart, full width, Windows' newlines, NUL: none is known as it stands."""
    text = "Ｃａｆｅ\u0301,\0 ＴＯ　ＢＥ\r\n".encode() * 20
    (project / "data/01_raw/corpora/mine.txt").write_bytes(text)
    read = "{fold_width: true, drop_control: true}"
    prompt = "ＴＯ\0 ＢＥ\r\nCafe\u0301"
    (project / "conf/quick/parameters/text.yml").write_text(
        f"corpus: mine\ncorpus_options: {{mine: {read}}}\n"
        "text: {seeds: [0], baselines: [], model: {hidden: 8},"
        f" samples: {{prompts: [{json.dumps(prompt)}]}}}}\n"
        f"prompt: {json.dumps(prompt)}\nlength: 3\n"
    )
    for pipeline in ("text", "generate"):
        printed(kedro_run(f"--pipelines={pipeline}"))
    assert "does not know" not in caplog.text
    assert saved(project).startswith("TO BE\nCafé")
    samples = json.loads((project / "data/07_model_output/text/mine/samples.json").read_text())
    assert {sample["prompt"] for sample in samples} == {"TO BE\nCafé"}


def test_a_terminal_without_the_characters_gets_their_numbers_and_the_file_all(
    generate: Generate,
    kedro_process: Callable[..., None],
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    printed(generate("length=1"))  # leaves the models
    for name, value in {
        "PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    kedro_process("--pipelines=generate", "--params", "corpus=mine,generate.method=greedy")
    (poem,) = saved(project).split()
    assert poem in POEMS
    assert poem.encode("ascii", "backslashreplace").decode() in capfd.readouterr().out


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        (
            "prompt=x床y,generate.strict=true",
            "prompt 'x床y': the model does not know 'x', 'y'; expected characters of its training"
            " text",
        ),
        (
            "generate.temperature=-1.5",
            "parameter 'generate.temperature' is -1.5; expected a number from 0, which takes the"
            " likeliest character every time",
        ),
        (
            "text.samples.temperatures=[0.5,-1]",
            "parameter 'text.samples.temperatures.1' is -1; expected a number from 0, which takes the"
            " likeliest character every time",
        ),
        (
            "text.samples.prompts=[]",
            "parameter 'text.samples.prompts' is []; expected at least one",
        ),
        (
            "generate.repetition_penalty=.inf",
            "parameter 'generate.repetition_penalty' is inf; expected a finite number",
        ),
        (
            "generate.top_p=0",
            "parameter 'generate.top_p' is 0; expected a number above 0 and at most 1, where 1"
            " keeps all",
        ),
        (
            "generate.top_p=1.01",
            "parameter 'generate.top_p' is 1.01; expected a number above 0 and at most 1, where 1"
            " keeps all",
        ),
        ("length=0", "parameter 'length' is 0; expected greater than or equal to 1"),
        ("registerd=true", "parameter 'registerd' is unknown; did you mean 'registered'?"),
        (
            "registered=perhaps",
            "parameter 'registered' is 'perhaps'; expected true or false",
        ),
        (
            "registered=true",
            "registered model 'text-mine' has no champion; run kedro run --pipelines=deploy"
            " --params job=text,corpus=mine first",
        ),
        (
            "generate.beam=2,generate.number=3",
            "parameters under 'generate': number 3 asks for more texts than beam 2 keeps; raise"
            " beam",
        ),
    ],
)
def test_an_impossible_request_is_told_why(
    generate: Generate, project: Path, params: str, sentence: str
) -> None:
    if "registered" in params:
        (project / "conf/quick/mlflow.yml").unlink()
    refused(generate(params), sentence)


def test_without_a_trained_model_it_says_what_to_run(kedro_run: Run) -> None:
    refused(
        kedro_run("--pipelines=generate", "--params", "corpus=mine"),
        "corpus 'mine': no model is trained yet; run kedro run --pipelines=text --params"
        " corpus=mine first",
    )


def test_a_vocabulary_cut_off_by_another_hand_is_told_without_a_traceback(
    generate: Generate, project: Path
) -> None:
    place = project / "data/04_feature/text/mine/vocabulary.json"
    place.write_text(place.read_text()[:9])
    result = generate("")
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    last = result.output.strip().splitlines()[-1]
    assert last.startswith(f"Error: file '{place}' cannot be read: Invalid JSON")
    assert last.endswith("it is truncated, was changed or is of another version: run the job again")


@pytest.mark.parametrize("change", [lambda _: "abc", lambda known: known[1] + known[0] + known[2:]])
def test_models_of_another_or_a_changed_vocabulary_are_not_used(
    generate: Generate, project: Path, change: Callable[[str], str]
) -> None:
    place = project / "data/04_feature/text/mine/vocabulary.json"
    known = json.loads(place.read_text())
    place.write_text(json.dumps(known | {"characters": change(known["characters"])}))
    refused(
        generate(""),
        "corpus 'mine': its trained models, 2, are of another text than the one that was read last;"
        " run kedro run --pipelines=text --params corpus=mine again",
    )


def test_a_model_of_another_text_is_not_used_though_its_alphabet_is_the_same(
    generate: Generate, project: Path
) -> None:
    train(project, "lazy", POEMS[::-1], epochs=1, seed=1)
    found = printed(generate("length=5"))
    left_out = (
        "mine: trained models of another text than the one that was read last are left out: 2"
    )
    assert left_out in " ".join(found.split())
    assert "mine, lazy seed 1: " in found


@pytest.mark.parametrize("change", [lambda raw: raw[:-9], lambda raw: raw[:-9] + b"123456789"])
def test_weights_that_were_changed_are_not_used(
    generate: Generate, project: Path, change: Callable[[bytes], bytes]
) -> None:
    printed(generate("length=5"))
    place = project / "data/06_models/text/mine/gru/seed_0.safetensors"
    before = place.read_bytes()
    place.write_bytes(change(before))
    found, scored = (hashlib.sha256(raw).hexdigest() for raw in (change(before), before))
    refused(
        generate(""),
        f"file '{place}' has SHA-256 {found}, but the model that was scored had {scored}; it is"
        " truncated or was changed: run the job again",
    )
    place.with_suffix(".json").write_text("{")
    assert f"file '{place.with_suffix('.json')}' cannot be read: " in generate("").output
