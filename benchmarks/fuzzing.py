"""Inputs that nobody means: `python benchmarks/fuzzing.py --minutes 5`, or one case by `--only`.

Every case mutates good inputs with its own seed, so a second run tries the same ones, only more of
them where it has more time. Bad input may be answered by an `InputError`, a request by a 4xx. All else
is a finding: another exception, more than 5 s, 2 GB more memory, a forecast that is no number. Findings
are printed, one of a kind.
"""

from __future__ import annotations

import asyncio
import atexit
import gzip
import json
import logging
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from _table import Row, main
from unrolled import params, study
from unrolled.cli import split_params
from unrolled.errors import InputError, shown
from unrolled.pipeline_registry import pipelines_of
from unrolled.pipelines.jobs import JOBS
from unrolled.series import reading
from unrolled.series.options import SeriesOptions
from unrolled.series.panel import PanelSchema
from unrolled.serving.forecaster import ServedForecaster
from unrolled.settings import CONFIG_LOADER_ARGS
from unrolled.study.checks import fields_of
from unrolled.text import corpus
from unrolled.text.options import CorpusOptions

PROJECT = Path(__file__).parents[1]
SECONDS, MEMORY = 5.0, 2 << 30  # of one input at most
MINUTES, QUICK_MINUTES = 2.0, 0.1

# One input, and what is done with it.
Attempt = tuple[object, Callable[[], object]]
Case = Callable[[random.Random], Attempt]


class Finding(Exception):
    """What is wrong without an exception."""


# --- parameters -----------------------------------------------------------------------------------

GOOD = (
    "series=my_sales,ds=Month,y=Sales,season=12,horizon=6",
    "corpus=my_notes,prompt=To do: ,length=200",
    "variants=[gru,lstm],seeds=[0,1],training.epochs=5,baselines=[ridge]",
    "series_options.sunspots={season: 12, lags: [12, 24], columns: {ds: a, y: b}},rows=new.csv",
    "variant_options.mine={cell: lstm, forget_bias: chrono, longest_lag: 30},variants=[mine]",
    "gradients.remedies=[none,gru],gradients.lengths=[20],gradients.theory.weights=[0.5, 1.0]",
    "text.samples={prompts: ['', \"a\\nb\"], temperatures: [0.5], form: '(a|b)*'},encoding=utf-8",
    "generate={beam: 3, number: 2, seed: 7},corpus=tang,prompt='to be, or',registered=true",
    "series=airline,transform=boxcox,es=true,validation=.2,test=24,fill=linear,unit=EUR",
)
VALUES = (
    *("", "0", "-1", "1.0", "1e3", "1e308", "1e-320", "nan", "inf", ".inf", "9" * 30, "9" * 5000),
    *("true", "off", "null", "~", "'20'", "²", "[]", "{}", "[[]]", "[null]", "{a: {b: c}}", "[1,1]"),
    *("${x}", "${oc.env:HOME}", "???", "}", "]", "a/b", "../x", "x.seed_1", "ridge", "gru_median"),
    *("#a", "&a", "*a", "!!int 3", "|", ">", "- a", "a: b", "\n", "\0", "\udcff", "é", "床前", "a" * 300),
    *("'", '"', "\\", "\\u", '"\\ud800"', '"\\x41"', "[" * 50, "{a: " * 50, "2024-01-01", "1_000"),
)  # fmt: skip
SIGNS = (*"[]{},=:'\"\\.# \n", "${", "==", ",,", ": ", "a=")


def parameters(chance: random.Random) -> Attempt:
    """A run's `--params`, and now and then a `--set`, up to the pipelines that it would build."""
    typed = _mutated(chance, chance.choice(GOOD), (*SIGNS, *VALUES))
    if chance.random() < 0.6:
        added = ",".join(
            f"{_key(chance)}={chance.choice(VALUES)}" for _ in range(chance.randint(1, 3))
        )
        typed = added if chance.random() < 0.5 else f"{typed},{added}"
    assigned = f"{_key(chance)}={chance.choice(VALUES)}" if chance.random() < 0.2 else None

    def run() -> None:
        asked = split_params(typed)
        if assigned is not None:
            asked = params.joined(asked, params.one(assigned, partial(study.kind_of, JOBS)))
        found = _Loader(str(PROJECT / "conf"), runtime_params=asked, **CONFIG_LOADER_ARGS)
        json.dumps(found["parameters"])
        for pipeline in pipelines_of(found.study).values():
            pipeline.describe()

    return (typed, assigned), run


class _Loader(study.StudyConfigLoader):
    """The loader of a run, which reads the files of `conf/` once."""

    def _configured(self) -> dict[str, Any]:
        return _files()


@cache
def _files() -> dict[str, Any]:
    loader = study.StudyConfigLoader(str(PROJECT / "conf"), **CONFIG_LOADER_ARGS)
    return loader._configured()


@cache
def _keys() -> list[str]:
    """Paths of all parameters, in full and in short."""

    def inside(kinds: dict[str, Any], where: str) -> Iterator[str]:
        for key, kind in kinds.items():
            name = chance_name if key == study.ANY else key
            yield where + name
            if hasattr(kind, "model_fields"):
                kind = fields_of(kind)
            if isinstance(kind, dict):
                yield from inside(kind, f"{where}{name}.")

    chance_name = "gru"
    return [
        *inside(study.kinds_of(JOBS), ""),
        *(key for forms in study.short_of(JOBS).values() for key in forms),
    ]


def _key(chance: random.Random) -> str:
    key = chance.choice(_keys())
    places = {
        "series_options.gru": "series_options.sunspots",
        "corpus_options.gru": "corpus_options.tang",
    }
    for one, other in places.items():
        key = key.replace(one, other)
    return key if chance.random() < 0.9 else _mutated(chance, key, SIGNS)


def _mutated(chance: random.Random, value: Any, parts: tuple[Any, ...]) -> Any:  # noqa: ANN401
    """Text or bytes with some pieces taken out, doubled, swapped or put in."""
    for _ in range(chance.choice((0, 1, 1, 2, 4))):
        first, last = sorted(chance.randrange(len(value) + 1) for _ in range(2))
        last = min(last, first + 12)
        piece = chance.choice((value[:0], value[first:last] * 2, chance.choice(parts)))
        value = value[:first] + piece + value[last if chance.random() < 0.5 else first :]
    return value


# --- series ---------------------------------------------------------------------------------------

TIMES = pd.date_range("2015-01-01", periods=30, freq="MS")
FORMS = (
    *("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%y", "%b-%y", "%B %d %Y", "%Y%m", "%Y%m%d", "%Y-%m-%dT%H:%M:%S%z"),
    *("%d.%m.%Y %H:%M", "%I:%M %p %d %b %Y", "%G-W%V", "%YM%m", "%Y", "%H:%M", "%s"),
)  # fmt: skip
CELLS = (
    *(b"", b"NA", b"nan", b"inf", b"1e400", b"-1e39", b"1,5", b"1.234,5", b"12%", b"9" * 40, b"now"),
    *(b"2015-02-30", b"1-01", b"10:00", b"2015-Q1", b"01/02/2015", b"201501", b"42005", b"\xff", b"\0"),
    *(b'"', b"\n", b",", b";", b"\t", b"#", b"# x\n", b"\r", b"\xef\xbb\xbf", b"\xff\xfe", b'""', b"PK"),
)  # fmt: skip
NAMES = (
    "it.csv",
    "it.csv",
    "it.csv",
    "it.tsv",
    "it.parquet",
    "it.xlsx",
    "it.csv.gz",
    "it.zip",
    "it",
)


def series(chance: random.Random) -> Attempt:
    """The bytes of a series, and then of new rows, up to the panel."""
    form, sep = chance.choice(FORMS), chance.choice((",", ";", "\t"))
    times = TIMES.tz_localize(chance.choice((None, "UTC", "Europe/Berlin")))
    values = np.arange(30) * chance.choice((1.0, 0.001, 1e6, 1e36)) + 0.5
    frame = pd.DataFrame({"ds": times.strftime(form), "y": values})
    if chance.random() < 0.3:
        ids = [chance.choice(("NA", "1", "01", "a"))] * 15 + ["b"] * 15
        frame.insert(0, "unique_id", ids)
    if chance.random() < 0.1:
        frame["ds"] = times.strftime("%s").astype("int64") // chance.choice((1, 86_400, 10**6))
    name = chance.choice(NAMES)
    if name == "it.parquet":
        file = BytesIO()
        (frame.assign(ds=times) if chance.random() < 0.5 else frame).to_parquet(file)
        good = file.getvalue()
    else:
        good = frame.to_csv(index=False, sep=sep, decimal=chance.choice(".,")).encode()
        good = gzip.compress(good) if name.endswith(".gz") else good
    raw, later = _mutated(chance, good, CELLS), _mutated(chance, good, CELLS)
    options = SeriesOptions(
        sep=chance.choice((None, None, ",", ";")),
        decimal=chance.choice((None, None, ",")),
        thousands=chance.choice((None, None, ".", "'")),
        wide=chance.random() < 0.1,
        date_format=chance.choice((None, None, None, form, "%d%z", "excel", "ms", "%")),
        dayfirst=chance.choice((None, None, True)),
        fill=chance.choice(("error", "last", "seasonal", "linear")),
        season=3,
    )

    def run() -> None:
        panel, known = reading.read({name: raw}, options, "it")
        PanelSchema().validate(panel)
        if not len(panel):
            raise Finding("a panel without rows")
        kept = reading.Reading.model_validate_json(known.model_dump_json())
        PanelSchema().validate(reading.read({name: later}, options, "it", kept)[0])

    return (name, raw, later, options), run


# --- texts ----------------------------------------------------------------------------------------

ENCODINGS = ("utf-8", "utf-16", "utf-32", "gb18030", "latin-1", "shift_jis", "utf-7", "utf-8-sig")
LETTERS = (
    "To be, or not to be.\r\n\r\n床前明月光，\n疑是地上霜。\nＡＢ é e\u0301 \u2028 \u3000\U0001f600\n"
    * 3
)
BYTES = (
    b"\0",
    b"\xff\xfe",
    b"\xfe\xff",
    b"\xff",
    b"\xed\xa0\x80",
    b"\r",
    b"\n\n",
    b"\x1a",
    b"+AGE-",
)
SPLITS = (0.1, 0.3, 0.001)


def texts(chance: random.Random) -> Attempt:
    """The bytes of a corpus, up to its three parts."""
    written, read = chance.choice(ENCODINGS), chance.choice(ENCODINGS)
    good = LETTERS[: chance.choice((0, 1, 30, len(LETTERS)))].encode(written, "ignore")
    raw = _mutated(chance, good, BYTES)
    options = CorpusOptions(
        encoding=written if chance.random() < 0.5 else read,
        undecodable=chance.choice(("error", "drop")),
        boundaries=chance.choice(("none", "line", "blank_line")),
        fold_width=chance.random() < 0.5,
        validation=chance.choice(SPLITS),
        test=chance.choice(SPLITS),
    )

    def run() -> None:
        decoded = corpus.decode(raw, options, "it")
        decoded.encode()  # it is written to a file
        parts = corpus.split(corpus.documents(decoded, options.boundaries), options, "it")
        if not all(map(len, parts)):
            raise Finding(f"an empty part: {list(map(len, parts))}")

    return (raw, options), run


# --- requests -------------------------------------------------------------------------------------

STEPS: tuple[int | str, ...] = ("MS", "D", "h", 1, 7)
ODD = (
    *(None, True, "", "a", "now", "1e3", "1e400", "-0", "nan", "9" * 5000, -1, 0, 1.5, 1e300, -1e300),
    *(10**30, float("inf"), float("nan"), [], {}, [1], "2024-13-01", "0001-01-01", "9999-12-31"),
    *("2262-04-12", "1677-01-01", "2001-06-01T00:00:00+02:00", "2001-06-01T25:00", "\ud800", 1 << 63),
    *("03.04.2015", "03/04/2015", "15-04-03", "2001-06", "2001-06-01 00:00:00.5", 20010601, 991353600),
)  # fmt: skip


@cache
def _served(number: int) -> tuple[ServedForecaster, Path, int | str]:
    """A server of a step and of a formula, as `deploy` leaves its files."""
    step = STEPS[number % len(STEPS)]
    seen: int | str = 5 if isinstance(step, int) else "2001-05-01T00:00:00"
    state = {"level": 5.0, "trend": 1.0, "season": [1.0, 2.0], "ds": seen, "alpha": 0.5}
    formulas: tuple[dict[str, Any], ...] = (
        {"formula": "repeat", "rows": 3},
        {"formula": "drift", "first": 1.0, "last": 5.0, "seen": 5, "ds": seen},
        state
        | {"formula": "ets", "multiplicative": True, "beta": 0.1, "gamma": 0.1, "damping": 0.9},
        state | {"formula": "theta", "multiplicative": False, "slope": 0.1, "seen": 5},
    )
    numbers = formulas[number % len(formulas)]
    content = json.dumps({"variant": "it", "series": {"a": numbers, "b": numbers}}).encode()
    folder = Path(tempfile.mkdtemp(dir=_home()))
    (folder / "numbers.json").write_bytes(content)
    options = {
        "sha256": sha256(content).hexdigest(),
        "horizon": 2,
        "lowest": "above 0" if number % 3 == 0 else "",
        "clock": "",
        "ds": "long" if isinstance(step, int) else "datetime",
        "series": {"a": step, "b": step},
    }
    (folder / "forecaster.json").write_text(json.dumps(options))
    return ServedForecaster(folder), folder, step


@cache
def _home() -> str:
    home = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, home)
    return home


def _rows(chance: random.Random, step: int | str) -> list[dict[str, Any]]:
    """Rows as they should be, some of them then changed."""
    count = chance.choice((1, 4, 8))
    times: list[Any] = [5 + int(step) * i for i in range(count)] if isinstance(step, int) else [
        str(time) for time in pd.date_range("2001-05-01", periods=count, freq=step)
    ]  # fmt: skip
    rows = [{"unique_id": "a", "ds": time, "y": 5.0 + i} for i, time in enumerate(times)]
    for _ in range(chance.choice((0, 1, 1, 2))):
        row = chance.choice(rows)
        key = chance.choice(list(row) or ["y"])
        action = chance.randrange(4)
        if action == 0:
            row.pop(key, None)
        elif action == 1:
            rows.insert(chance.randrange(len(rows) + 1), dict(chance.choice(rows)))
        else:
            row[key] = chance.choice(ODD)
    return rows


def forecasts(chance: random.Random) -> Attempt:
    """A frame of rows, asked of a served baseline without its server."""
    server, _, step = _served(chance.randrange(20))
    rows = _rows(chance, step)
    frame = pd.DataFrame(rows, dtype=object)
    if chance.random() < 0.7:
        with suppress(UnicodeEncodeError):  # pandas' own, of a column of text
            frame = frame.infer_objects()

    def run() -> None:
        found = server.predict(frame)
        if not np.isfinite(found["y_hat"].to_numpy()).all():
            raise Finding(f"the forecast is {found['y_hat'].tolist()}")

    return rows, run


@cache
def _application() -> Any:  # noqa: ANN401
    """MLflow's server of a model under our guard."""
    import mlflow.pyfunc

    from unrolled.serving import forecaster_model, signatures
    from unrolled.serving.app import application

    _, folder, _ = _served(0)
    place = Path(tempfile.mkdtemp(dir=_home())) / "model"
    mlflow.pyfunc.save_model(
        place,
        python_model=str(Path(forecaster_model.__file__)),
        artifacts={"served": str(folder)},
        signature=signatures.forecaster("datetime"),
        pip_requirements=[],
    )
    return application(mlflow.pyfunc.load_model(str(place)))


def requests(chance: random.Random) -> Attempt:
    """The body of a request, through the guard and MLflow's own server."""
    rows = _rows(chance, "MS")
    keys = list(dict.fromkeys(key for row in rows for key in row))
    split = {"columns": keys, "data": [[row.get(key) for key in keys] for row in rows]}
    form: dict[str, Any] = chance.choice(
        (
            {"dataframe_records": rows},
            {"dataframe_split": split},
            {"inputs": rows},
            {"instances": rows},
        )
    )
    if chance.random() < 0.1:
        form |= {"params": chance.choice(ODD)}
    body = json.dumps(form).encode()
    if chance.random() < 0.3:
        body = _mutated(
            chance, body, (b"[", b"{", b"}", b"null", b"\xff", b"9" * 5000, b'"', b"[" * 3000)
        )
    path = chance.choice(("/invocations", "/invocations", "/invocations", "/ping", "/x"))
    kind = chance.choice((b"application/json", b"application/json", b"text/csv", b""))

    def run() -> None:
        status, answer = asyncio.run(_ask(path, kind, body))
        if status >= 500:
            raise Finding(f"status {status}: {shown(answer)}")
        found = json.loads(answer) if status >= 400 or path == "/invocations" else {}
        if status >= 400 and not isinstance(found.get("error"), str):
            raise Finding(f"status {status} without a sentence: {shown(answer)}")
        values = [row["y_hat"] for row in found.get("predictions", [])]
        if not all(isinstance(value, float) and np.isfinite(value) for value in values):
            raise Finding(f"the forecast is {values}")

    return (path, kind, body), run


async def _ask(path: str, kind: bytes, body: bytes) -> tuple[int, bytes]:
    scope = {
        "type": "http", "http_version": "1.1", "method": "POST" if body else "GET", "path": path,
        "raw_path": path.encode(), "query_string": b"", "headers": [(b"content-type", kind)],
        "scheme": "http", "server": ("it", 80), "client": ("me", 1), "root_path": "",
    }  # fmt: skip
    told: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        told.append(message)

    await _application()(scope, receive, send)
    return told[0]["status"], b"".join(message.get("body", b"") for message in told[1:])


# --- what tries them ------------------------------------------------------------------------------

CASES: dict[str, Case] = {
    "parameters": parameters,
    "series": series,
    "texts": texts,
    "forecasts": forecasts,
    "requests": requests,
}


@contextmanager
def _limits() -> Iterator[None]:
    """An input that hangs, or fills the memory, ends as an exception."""

    def late(_signal: int, _frame: FrameType | None) -> None:
        raise Finding(f"more than {SECONDS:g} s")

    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc").is_dir() else 0
    before, handler = resource.getrlimit(resource.RLIMIT_AS), signal.signal(signal.SIGALRM, late)
    if pages:
        limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, before)


def tried(run: Callable[[], object]) -> str | None:
    """What was found, as one line that is the same for all of a kind; None where all is well."""
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        run()
    except InputError as error:
        try:
            str(error).encode()  # a terminal shows it
        except UnicodeEncodeError:
            return "a sentence that no terminal can show"
    except (Exception, RecursionError) as error:
        signal.setitimer(signal.ITIMER_REAL, 0)
        frame = traceback.extract_tb(error.__traceback__)[-1]
        what = error.errors()[0]["type"] if isinstance(error, ValidationError) else str(error)
        return f"{type(error).__name__} in {Path(frame.filename).name}:{frame.lineno}: {what[:120]}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return None


def rows(quick: bool, only: list[str], minutes: float) -> list[Row]:
    """Try every case for so many minutes: one row a case."""
    logging.disable()  # warnings of ours and MLflow's on most inputs
    warnings.simplefilter("ignore")
    found = []
    for name in only:
        case, chance = CASES[name], random.Random(name)
        kinds: dict[str, object] = {}
        count, slowest = 0, 0.0
        until = time.monotonic() + 60 * (QUICK_MINUTES if quick else minutes)
        if name == "requests":
            _application()  # before the limits: loading it takes seconds
        with _limits():
            while time.monotonic() < until:
                given, run = case(chance)
                began = time.perf_counter()
                kind = tried(run)
                slowest = max(slowest, time.perf_counter() - began)
                count += 1
                if kind and kind.partition(": ")[0] not in kinds:
                    kinds[kind.partition(": ")[0]] = given
                    print(
                        f"{name}: {kind}\n    {shown(given) if len(repr(given)) > 600 else repr(given)}",
                        file=sys.stderr,
                    )
        found += [
            Row(
                f"{name}: kinds of findings in {count:,} inputs",
                len(kinds),
                "findings",
                bar="value <= 0",
            ),
            Row(f"{name}: slowest input", slowest, "s", bar=f"value <= {SECONDS:g}"),
        ]
    return found


if __name__ == "__main__":
    main(rows, only=list(CASES), minutes=MINUTES)
