"""The pages that end a job, in a real browser: on a desk, on a phone, on paper, without script."""

import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fontTools import ttLib
from tests.browser import Page, browser, needs_chromium

from unrolled.comparison.looks import look
from unrolled.comparison.records import Champion, Winner
from unrolled.comparison.sentences import winner_sentence
from unrolled.pipelines import reporting
from unrolled.pipelines.charts import Chart, Line, Map
from unrolled.pipelines.gradients.report import report as gradients_report
from unrolled.pipelines.pictures import draw
from unrolled.series.options import SeriesOptions
from unrolled.text.options import CorpusOptions

ROWS = {"recurrent": ["gru", "residual_attention_gru"], "baseline": ["modified_kneser_ney_6"]}
EVERY = [name for names in ROWS.values() for name in names]
PROTOCOL = "mine: 60 rows (train 40, validation 10, test 10 from 2004-01-01); horizon 6; seeds 0, 1"
EVIL = "</script><script>document.title = 'evil'</script><img src=x onerror=alert(1)>"
SHA = "0123456789abcdef" * 4
CHAMPION = {
    "variant": "gru", "seed": 1, "metric": "mase", "score": 0.8, "seed_score": 0.7,
    "validation_score": 0.2, "mean_validation_score": 0.3, "baseline": "modified_kneser_ney_6",
    "baseline_score": 0.5, "margin": -0.3, "p_value": None, "beats_baseline": False,
    "digests": {"model": SHA}, "data_set": "mine",
}  # fmt: skip
WINNER = Winner(
    job="forecasting", data_set="mine", variant="modified_kneser_ney_6", kind="baseline", seeds=(),
    score=0.5, metric="mase", confirmed=True, validation_metric="mase", validation_score=0.6,
    best={"variant": "modified_kneser_ney_6", "score": 0.5}, rows={}, digests={},
)  # fmt: skip
DATA = {
    "name": "mine", "source": "data/01_raw/mine.csv", "licence": None, "sha256": SHA,
    "unit": "rows", "train": 40, "validation": 10, "test": 10, "series": 1, "symbols": 3,
}  # fmt: skip
OPTIONS = {"model": {"hidden": 32, "window_normalisation": "last"}, "training": {"epochs": 9}}


@pytest.fixture(scope="module")
def pictures() -> dict:
    """A picture of lines and one of two maps, as the catalog gives them back."""
    lines = [Line([1, 2, 3], [3, 1, 2], name, look(name, ROWS)) for name in EVERY]
    z = np.arange(80.0 * 2).reshape(2, 80)
    maps = [Chart("x", "y", [Map(z, "magma", 0, 160, "nats", z.astype(int).astype(str))], EVIL)]
    found = {}
    for name, (figure, interactive) in {
        "first": draw(f"Error of mine {EVIL}", PROTOCOL, [Chart("steps", "MAE, mm", lines)]),
        "second": draw("Maps", PROTOCOL, maps),
    }.items():
        figure.savefig(file := io.BytesIO(), format="png")
        found |= {f"{name}.png": file.getvalue(), f"{name}.plotly": interactive}
    return found


def leaderboard(*metrics: str) -> pd.DataFrame:
    columns = {name: [0.81234567, 12345.678, 0.5] for name in metrics}
    kinds = {"kind": ["recurrent", "recurrent", "baseline"], "seeds": 2, "parameters": 1234567}
    return pd.DataFrame({"variant": EVERY} | columns | kinds | {"train_seconds": 1234.5})


@pytest.fixture(scope="module")
def pages(pictures, tmp_path_factory) -> dict[str, str]:
    """Where the page of each job lies."""
    forecasting = text = {"seeds": [0, 1], "gru": OPTIONS}
    environment = reporting.environment()
    samples = [
        {
            "variant": name, "temperature": temperature, "prompt": "ROMEO: ", "text": EVIL,
            "longest_copied_run": "never", "new_10grams": 0.5, "form_share": share,
        }
        for name, share in (("gru", 0.25), ("lstm", None))
        for temperature in (0.5, 1.0)
    ]  # fmt: skip
    samples[0]["prompt"] = "床前"
    _, chinese = draw("明月", PROTOCOL, [Chart("光", "", [Line([0], [0])])])
    coverage = {"test": {"characters": 10, "unknown": 2}}
    summary = pd.DataFrame({"remedy": ["Plain tanh RNN", "Identity weights with ReLU (IRNN)"]})
    for name in ("adding 20", "adding 50", "copy 20"):
        summary[name] = "5 of 5 in 125"
    summary[["diverged", "gradient_before", "gradient_after"]] = "1e-30"
    verdicts = pd.DataFrame(
        {"title": summary["remedy"], "cures": summary["remedy"] + ": cures all.", "leaves": "No."}
    )
    memory = pd.DataFrame(
        {"variant": "rnn", "init": "default", "trained": [False, True], "seed": 0, "memory": [7, 9]}
    )
    saturation = pd.DataFrame(
        {
            "variant": "rnn",
            "init": "default",
            "trained": [False, True],
            "gate": "h",
            "closed": 0.1,
            "open": 0.2,
        }
    )
    training = {"training": {"steps": 200}, "theory": {"lags": 100}}
    made = {
        "forecasting": reporting.report(
            leaderboard("mase", "mase_std", "validation_mase", "mae", "rmse", "smape"),
            Champion(job="forecasting", **CHAMPION), WINNER, DATA, PROTOCOL, environment,
            {"forecasting": forecasting}, SeriesOptions(horizon=6), **pictures,
            **{"gru.seed_0.cell.png": pictures["first.png"]},
        ),
        "text": reporting.report(
            leaderboard("bits_per_char", "bits_per_char_std", "nats_per_char", "perplexity"),
            Champion(job="text", **CHAMPION | {"metric": "bits_per_char"}),
            WINNER.model_copy(update={"job": "text"}),
            DATA, PROTOCOL, environment, {"text": text}, CorpusOptions(encoding="utf-8"), samples=samples, coverage=coverage,
            **(pictures | {"second.plotly": chinese}),
        ),
        "gradients": gradients_report(
            summary, verdicts, memory, saturation, PROTOCOL, environment, {"gradients": training},
            **pictures, **{"networks.rnn.default.metrics": {"solved": 0.5, "loss": 0.16}},
        ),
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("pages")
    for job, html in made.items():
        (folder / f"{job}.html").write_text(html)
    return {job: (folder / f"{job}.html").as_uri() for job in made}


def source(url: str) -> str:
    return Path(url.removeprefix("file://")).read_text()


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser") / "profile") as found:
        yield found


def opened(page: Page, url: str, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.call("Emulation.setDeviceMetricsOverride", **size)
    page.errors.clear()
    page.requests.clear()
    page.open(url)
    page.wait("document.readyState == 'complete'")


def shown(page: Page, selector: str) -> object:
    """Which of these elements take up room."""
    return page.ask(f"[...document.querySelectorAll('{selector}')].map(e => e.offsetHeight > 0)")


@needs_chromium
@pytest.mark.parametrize(
    ("job", "width"),
    [("forecasting", 1280), ("forecasting", 400), ("text", 400), ("gradients", 400)],
)
def test_a_page_draws_its_plots_fits_its_screen_and_asks_for_nothing(page, pages, job, width):
    opened(page, pages[job], width)
    for index in range(2):
        figure = f"document.querySelectorAll('figure')[{index}]"
        page.ask(f"{figure}.scrollIntoView()")
        page.wait(f"{figure}.querySelector('.main-svg')")
    stills = 1 if job == "forecasting" else 0  # have no plot to take their place
    assert shown(page, "figure img") == [False, False] + [True] * stills
    assert shown(page, "figure .plot") == [True, True]
    assert page.ask("document.querySelector('.plot').data.map(trace => trace.name)") == EVERY
    assert page.ask("document.querySelector('.plot').layout.yaxis.title.text") == "MAE, mm"
    # Nothing is wider than the screen; a map of letters scrolls in its own frame.
    assert page.ask("document.documentElement.scrollWidth <= innerWidth")
    fits = "e => e.scrollWidth <= e.clientWidth"
    tables = page.ask(f"[...document.querySelectorAll('.wide')].map({fits})")
    assert isinstance(tables, list)
    assert all(tables)
    captions = page.ask("[...document.querySelectorAll('.drawn figcaption')].map(e => e.innerText)")
    assert isinstance(captions, list)
    assert all(PROTOCOL in caption for caption in captions)
    assert page.errors == []
    assert [url for url in page.requests if not url.startswith(("data:", "blob:"))] == [pages[job]]
    assert page.ask("document.title").startswith(job)  # names and texts are no markup
    assert page.ask("document.querySelectorAll('script').length") == 5


@needs_chromium
def test_a_phone_sees_the_score_beside_the_name(page, pages):
    opened(page, pages["forecasting"], 400)
    assert page.ask("document.querySelector('.verdict p').innerText") == winner_sentence(WINNER)
    heads = page.ask(
        "[...document.querySelectorAll('.leaderboard th')].filter(e => e.offsetWidth && e.closest('thead')).map(e => e.textContent)"
    )
    assert heads == ["variant", "mase", "mase_std", "validation_mase"]
    opened(page, pages["text"], 1280)
    assert page.ask("document.querySelector('.leaderboard th:nth-child(2)').textContent") == (
        "bits_per_char"
    )


@needs_chromium
def test_paper_and_a_browser_without_script_have_the_png(page, pages):
    opened(page, pages["forecasting"], 1280)
    page.wait("document.querySelector('.main-svg')")
    page.call("Emulation.setEmulatedMedia", media="print")
    assert shown(page, "figure img") == [True, True, True]
    assert shown(page, "figure .plot") == [False, False]
    page.call("Emulation.setEmulatedMedia", media="")
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        opened(page, pages["forecasting"], 400)
        assert shown(page, "figure img") == [True, True, True]
        assert shown(page, "figure .plot") == [False, False]
        widths = page.ask("[...document.images].map(image => image.naturalWidth)")
        assert isinstance(widths, list)
        assert min(widths) > 500
    finally:
        page.call("Emulation.setScriptExecutionDisabled", value=False)


@needs_chromium
def test_the_text_page_holds_samples_with_what_of_them_is_copied(page, pages):
    opened(page, pages["text"], 1280)
    page.ask("document.querySelectorAll('details').forEach(e => e.open = true)")
    said = page.text()
    assert said.count(f"ROMEO: {EVIL}") == 3
    assert f"床前{EVIL}" in said
    assert said.count("5 characters of it at most stand in train") == 4
    assert "Temperature 0.5: 25 % of what was written from nothing keeps the form" in said
    assert "2 of 10 characters are not in train" in said


@needs_chromium
def test_the_gradients_page_holds_remedies_sentences_and_memory(page, pages):
    opened(page, pages["gradients"], 1280)
    said = page.text()
    for words in ("Identity weights with ReLU (IRNN)", "Cures all. No.", "5 of 5 in 125"):
        assert words in said
    table = page.ask("[...document.querySelectorAll('table')].at(1).innerText.split(/\\s+/)")
    assert table == ["variant", "init", "untrained", "trained", "rnn", "default", "7", "9"]


def test_a_page_brings_the_glyphs_of_its_chinese_and_no_others(pages):
    face = re.compile(r'@font-face .*base64,([^"]*)"')
    (found,) = face.findall(source(pages["text"]))
    font = ttLib.TTFont(io.BytesIO(base64.b64decode(found)))
    assert set(map(chr, font.getBestCmap())) == set("床前明月光")  # in text, and in JSON as \\uXXXX
    assert not face.findall(source(pages["gradients"]))


def test_a_page_is_a_few_megabytes_and_has_one_script_of_plotly(pages):
    html = source(pages["forecasting"])
    assert html.count('id="plotly"') == 1
    assert len(html) < 2.5e6
    assert "http://" not in html.replace("http://www.w3.org", "")
    json.loads(html.split('<script type="application/json">')[1].split("</script>")[0])
