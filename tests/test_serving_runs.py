"""From a trained job to a process that answers HTTP: deploy, serve, roll back, forecast."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from packaging.requirements import Requirement
from tests import projects

from unrolled.datasets import Row
from unrolled.errors import InputError
from unrolled.serving.app import MAX_BODY, ZONED
from unrolled.tracking import client_of
from unrolled.training.cards import Network

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
NAME = "forecasting-airline"
Ask = Callable[..., tuple[int, Any]]

pytestmark = pytest.mark.slow


class Service:
    """A project folder of which rows of the leaderboard were deployed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uri = f"sqlite:///{folder}/mlflow.db"
        self.environment = os.environ | {"MLFLOW_TRACKING_URI": self.uri}

    def kedro(self, pipeline: str, *params: str) -> Result:
        asked = ["--params", ",".join(params)] if params else []
        return projects.run_in(self.folder, f"--pipelines={pipeline}", *asked)

    def done(self, pipeline: str, *params: str) -> None:
        result = self.kedro(pipeline, *params)
        assert result.exit_code == 0, result.output + str(result.exception)

    def version(self, alias: str = "champion") -> str:
        return str(client_of(self.uri).get_model_version_by_alias(NAME, alias).version)

    def winner(self) -> dict[str, Any]:
        path = self.folder / "data/06_models/forecasting/airline/winner.json"
        return json.loads(path.read_bytes())

    def forecast(self, *params: str) -> pd.DataFrame:
        self.done("forecast", *params)
        return pd.read_csv(self.folder / "data/07_model_output/forecasting/airline/forecast.csv")

    def model(self, name: str = NAME) -> Path:
        versions = client_of(self.uri).search_model_versions(f"name='{name}'")
        newest = max(versions, key=lambda version: int(version.version))
        found = newest.source.removeprefix("models:/")
        (place,) = self.folder.glob(f"mlartifacts/**/{found}/artifacts")
        return place

    @contextmanager
    def serving(self, *command: str) -> Iterator[Ask]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        path = f"{BIN}:{os.environ['PATH']}"
        with (self.folder / "server.log").open("w") as log:
            process = subprocess.Popen(
                [*command, "--port", str(port)],
                cwd=self.folder,
                env=self.environment | {"PATH": path},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield self._asker(port, process)
        finally:
            os.killpg(process.pid, 15)
            process.wait(30)

    def _asker(self, port: int, process: subprocess.Popen) -> Ask:
        def ask(body: bytes, path: str = "/invocations", kind: str = "application/json") -> Any:
            request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body or None)
            request.add_header("Content-Type", kind)
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()

        for _ in range(600):
            assert process.poll() is None, (self.folder / "server.log").read_text()
            try:
                assert ask(b"", "/ping")[0] == 200
                return ask
            except urllib.error.URLError:
                time.sleep(0.2)
        raise AssertionError((self.folder / "server.log").read_text())


STUDY = "variants=[gru],seeds=[0,1],baselines=[persistence,theta],training.epochs=5"
GRU = "model=gru"
MLFLOW = ("mlflow", "models", "serve", "-m", f"models:/{NAME}@champion", "--env-manager", "local")
OURS = (sys.executable, "-m", "unrolled.serving.app", f"models:/{NAME}@champion")


@pytest.fixture(scope="module")
def service(shared: Path, blank: Path, tmp_path_factory: pytest.TempPathFactory) -> Service:
    def make(folder: Path) -> None:
        projects.copy(blank, folder)
        made = Service(folder)
        made.done("forecasting", STUDY)
        made.done("deploy", GRU)

    folder = tmp_path_factory.mktemp("serving") / "project"
    projects.copy(projects.once(shared / "deployed", make), folder)
    return Service(folder)


@pytest.fixture(scope="module")
def ours(service: Service) -> Iterator[Ask]:
    with service.serving(*OURS) as ask:
        yield ask


@pytest.fixture
def rows(service: Service) -> list[dict[str, Any]]:
    """What the backtest's first cutoff had read."""
    raw = pd.read_csv(service.folder / "data/01_raw/series/airline.csv")
    return raw[raw["ds"] < "1959-01-01"].tail(60).to_dict("records")


@pytest.fixture
def expected(service: Service) -> pd.DataFrame:
    """What torch forecast from there by the seed that is deployed."""
    path = service.folder / "data/07_model_output/forecasting/airline/backtest.parquet"
    backtest = pd.read_parquet(path)
    seed = service.winner()["rows"]["gru"]["seeds"][0]
    own = backtest[(backtest["variant"] == "gru") & (backtest["seed"] == seed)]
    return own[own["cutoff"] == own["cutoff"].min()]


def records(rows: list[dict[str, Any]]) -> bytes:
    return json.dumps({"dataframe_records": rows}).encode()


def on_clock(rows: list[dict[str, Any]], clock: str) -> list[dict[str, Any]]:
    return [row | {"ds": f"{row['ds']}{clock}"} for row in rows]


def equal(answer: str, expected: pd.DataFrame) -> None:
    found = pd.DataFrame(json.loads(answer)["predictions"])
    assert list(found) == ["unique_id", "ds", "y_hat"]
    assert (pd.to_datetime(found["ds"]).to_numpy() == expected["ds"].to_numpy()).all()
    np.testing.assert_allclose(found["y_hat"], expected["y_hat"], rtol=1e-5)


def test_mlflows_own_server_answers_what_torch_forecast(
    service: Service, rows: list[dict[str, Any]], expected: pd.DataFrame
) -> None:
    with service.serving(*MLFLOW) as ask:
        status, answer = ask(records(rows))
        assert status == 200, answer
        equal(answer, expected)
        for bad in ([], rows[:5], [row | {"y": None} for row in rows]):
            status, answer = ask(records(bad))
            assert status == 400
            assert "stack_trace" not in answer
            assert "Traceback" not in answer
        assert ask(records(rows))[0] == 200


def test_our_server_answers_the_same_after_a_restart(
    service: Service, ours: Ask, rows: list[dict[str, Any]], expected: pd.DataFrame
) -> None:
    equal(ours(records(rows))[1], expected)
    with service.serving(*OURS) as again:
        equal(again(records(rows))[1], expected)


def test_the_readmes_curl_line_sends_the_request_that_deploy_left(
    service: Service, ours: Ask
) -> None:
    request = "data/06_models/forecasting/airline/request.json"
    line = f"-d @{request} http://127.0.0.1:5000/invocations"
    assert line.replace("airline", "sunspots") in (ROOT / "README.md").read_text()
    status, answer = ours((service.folder / request).read_bytes())
    assert status == 200
    assert len(json.loads(answer)["predictions"]) == 12


def split(rows: list[dict[str, Any]]) -> bytes:
    data = [list(row.values()) for row in rows]
    return json.dumps({"dataframe_split": {"columns": list(rows[0]), "data": data}}).encode()


BAD: dict[str, tuple[Callable[[list[dict[str, Any]]], bytes], int, str]] = {
    "a column missing": (
        lambda rows: records([{k: v for k, v in row.items() if k != "y"} for row in rows]),
        400,
        "column 'y' is missing in row 1, found unique_id, ds; expected unique_id, ds, y",
    ),
    "text for a number": (
        lambda rows: records([row | {"y": "many"} for row in rows]),
        400,
        "Failed to convert column y to type 'float64'",
    ),
    "no date": (
        lambda rows: records([row | {"ds": "soon"} for row in rows]),
        400,
        "column 'ds' is 'soon' in row 1; expected dates such as 2024-12-31 or 2024-12-31T23:00:00",
    ),
    "a date that pandas would guess": (
        lambda rows: records([row | {"ds": row["ds"].replace("-", "/")} for row in rows]),
        400,
        "column 'ds' is '1954/01/01' in row 1; expected dates such as 2024-12-31",
    ),
    "a number for a date": (
        lambda rows: split([row | {"ds": int(row["ds"].replace("-", ""))} for row in rows]),
        400,
        "column 'ds' is 19540101 in row 1; expected dates such as 2024-12-31",
    ),
    "a date beyond pandas": (
        lambda rows: records([row | {"ds": "0001-01-01"} for row in rows]),
        400,
        "Failed to convert column ds",
    ),
    "another form": (
        lambda rows: json.dumps({"inputs": rows}).encode(),
        400,
        'the body has \'inputs\'; expected {"dataframe_records": [{"unique_id": "a", "ds":',
    ),
    "the clock": (
        lambda rows: records([*rows[:-1], rows[-1] | {"ds": "now"}]),
        400,
        "column 'ds' is 'now' in row 60; expected dates such as 2024-12-31",
    ),
    "truth": (
        lambda rows: split([*rows[:-1], rows[-1] | {"y": True}]),
        400,
        "column 'y' is true in row 60; expected a number",
    ),
    "beyond single precision": (
        lambda rows: records([*rows[:-1], rows[-1] | {"y": 1e300}]),
        400,
        "column 'y' is 1e+300 in row 60; expected finite numbers above 0",
    ),
    "UTC": (lambda rows: records(on_clock(rows, "T00:00:00Z")), 400, ZONED),
    "an offset": (lambda rows: records(on_clock(rows, "T00:00:00+02:00")), 400, ZONED),
    "two offsets": (
        lambda rows: records([*on_clock(rows[:9], "T00+01:00"), *on_clock(rows[9:], "T00+02:00")]),
        400,
        ZONED,
    ),
    "NaN": (
        lambda rows: records([*rows[:-1], rows[-1] | {"y": float("nan")}]),
        400,
        "column 'y' is empty in 1 of 60 rows, the first is row 60; expected a value in every row",
    ),
    "not above zero": (
        lambda rows: records([*rows[:-1], rows[-1] | {"y": 0.0}]),
        400,
        "column 'y' is 0.0 in row 60; expected finite numbers above 0",
    ),
    "too few rows": (
        lambda rows: records(rows[-54:]),
        400,
        "series 'airline': 54 rows; expected the last 55 or more",
    ),
    "a gap": (
        lambda rows: records([*rows[:-2], rows[-1]]),
        400,
        "series 'airline': column 'ds' is 1958-10-01 00:00:00 where 1958-11-01 00:00:00 was"
        " expected; rows must come oldest first, in steps of MS, without gaps",
    ),
    "another series": (
        lambda rows: records([row | {"unique_id": "rail"} for row in rows]),
        400,
        "series 'rail' is unknown; this model was trained on airline",
    ),
    "too many rows": (
        lambda rows: records(rows * 1667),
        400,
        "100020 rows; expected 1 to 100000, the last rows of each series",
    ),
    "no rows": (lambda _: records([]), 400, "the body has 0 rows; expected {"),
    "a column more": (
        lambda rows: records([row | {"rain": 1} for row in rows]),
        400,
        "column 'rain' in row 1 is unknown; expected unique_id, ds, y",
    ),
    "no JSON": (lambda _: b"hello", 400, "the body cannot be read as JSON: Expecting value"),
    "a list": (lambda _: b"[1]", 400, "the body is [1]; expected {"),
    "other keys": (lambda _: b'{"rows": []}', 400, "the body has 'rows'; expected {"),
    "nested deep": (
        lambda _: b'{"dataframe_records":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        400,
        "the body cannot be read: its JSON is nested too deeply",
    ),
    "a number of 5,000 digits": (
        lambda _: b'{"dataframe_records": [{"y": ' + b"9" * 5000 + b"}]}",
        400,
        "the body cannot be read as JSON: Exceeds the limit (4300 digits)",
    ),
    "50 MB": (
        lambda _: b"x" * 50_000_000,
        413,
        f"the body has more than {MAX_BODY:,} bytes; send fewer rows",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_in_a_sentence(ours: Ask, rows: list[dict[str, Any]], case: str) -> None:
    body, code, sentence = BAD[case]
    status, answer = ours(body(rows))
    assert status == code
    assert list(json.loads(answer)) == ["error"]
    assert sentence in json.loads(answer)["error"]
    assert len(answer) < 600
    assert "Traceback" not in answer
    assert ours(records(rows))[0] == 200


def test_another_kind_of_body_is_refused(ours: Ask) -> None:
    status, answer = ours(b"unique_id,ds,y", kind="text/csv")
    assert (status, json.loads(answer)["error"]) == (
        415,
        "the Content-Type is 'text/csv'; expected application/json",
    )


def test_the_registered_model_holds_all_it_needs_and_no_pickle(service: Service) -> None:
    place = service.model()
    files = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    assert not [name for name in files if name.endswith((".pkl", ".pickle", ".pt", ".pth"))]
    assert {name for name in files if name.startswith("code/")} == {
        "code/unrolled/__init__.py",
        "code/unrolled/errors.py",
        "code/unrolled/records.py",
        "code/unrolled/series/__init__.py",
        "code/unrolled/series/formulas.py",
        "code/unrolled/series/grid.py",
        "code/unrolled/serving/__init__.py",
        "code/unrolled/serving/forecaster.py",
        "code/unrolled/serving/writer.py",
        "code/unrolled/text/__init__.py",
        "code/unrolled/text/writing.py",
    }
    required = (place / "requirements.txt").read_text().split()
    assert [line.partition("==")[0] for line in required] == [
        "mlflow", "numpy", "onnxruntime", "pandas", "pydantic",
    ]  # fmt: skip
    assert all("==" in line for line in required)
    assert (place / "input_example.json").exists()
    assert "signature" in (place / "MLmodel").read_text()


WITHOUT_TORCH = """
import sys
for name in ("torch", "kedro", "onnx", "cloudpickle.cloudpickle_fast", *sys.argv[3:]):
    sys.modules[name] = None
import json, mlflow, pandas
model = mlflow.pyfunc.load_model(sys.argv[1])
rows = pandas.DataFrame(json.loads(sys.argv[2]))
rows["ds"] = pandas.to_datetime(rows["ds"])
answer = model.predict(rows)
assert not [name for name in sys.modules if name.startswith("torch") and sys.modules[name]]
print(json.dumps({"predictions": json.loads(answer.to_json(orient="records", date_format="iso"))}))
"""


def answer_without_torch(
    model: str,
    rows: list[dict],
    service: Service,
    packages: Path | None = None,
    without: tuple[str, ...] = (),
) -> str:
    """In a process of its own; with `packages`, where there are no others, and `without` some more."""
    environment = {k: v for k, v in service.environment.items() if k != "PYTHONPATH"}
    alone = [] if packages is None else ["-I", "-S"]
    borrow = f"import sys; sys.path.append({str(packages)!r})\n" if packages else ""
    numbers = [row | {"y": float(row["y"])} for row in rows]
    code = borrow + WITHOUT_TORCH
    done = subprocess.run(
        [sys.executable, *alone, "-c", code, model, json.dumps(numbers), *without],
        cwd=service.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_model_answers_where_torch_and_kedro_cannot_be_imported(
    service: Service, rows: list[dict[str, Any]], expected: pd.DataFrame
) -> None:
    equal(answer_without_torch(str(service.model()), rows, service), expected)


def required_by(lines: list[str]) -> set[str]:
    """The packages that pip would install for a requirements.txt, of those that are here."""
    found: set[str] = set()
    asked = [Requirement(line) for line in lines]
    while asked:
        one = asked.pop()
        installed = metadata.distribution(one.name)
        assert one.specifier.contains(installed.version), one
        if one.name in found and not one.extras:
            continue
        found.add(one.name)
        asked += [
            needed
            for needed in map(Requirement, installed.requires or ())
            if any(
                needed.marker is None or needed.marker.evaluate({"extra": extra})
                for extra in one.extras or {""}
            )
        ]
    return found


def test_the_model_answers_in_an_environment_of_its_own_requirements(
    service: Service, rows: list[dict[str, Any]], expected: pd.DataFrame, tmp_path: Path
) -> None:
    place = service.model()
    names = required_by((place / "requirements.txt").read_text().splitlines())
    assert "mlflow" in names
    assert not {"torch", "kedro", "unrolled"} & names
    for name in names:
        installed = metadata.distribution(name)
        for top in {file.parts[0] for file in installed.files or () if file.parts[0] != ".."}:
            if not (tmp_path / top).exists():
                (tmp_path / top).symlink_to(str(installed.locate_file(top)))
    equal(answer_without_torch(str(place), rows, service, packages=tmp_path), expected)


def test_a_forecast_by_the_registered_model_is_what_its_server_answers(
    service: Service, ours: Ask
) -> None:
    found = service.forecast("registered=true")
    assert list(found) == ["unique_id", "ds", "variant", "y_hat"]
    assert found["ds"].tolist()[::11] == ["1961-01-01", "1961-12-01"]
    raw = pd.read_csv(service.folder / "data/01_raw/series/airline.csv").to_dict("records")
    answer = pd.DataFrame(json.loads(ours(records(raw))[1])["predictions"])
    np.testing.assert_allclose(found["y_hat"], answer["y_hat"], rtol=1e-9)


@pytest.mark.parametrize("clock", ["T00:00:00Z", "T00:00:00+02:00"])
def test_a_forecast_of_rows_with_an_offset_is_on_the_clock_that_they_show(
    service: Service, clock: str
) -> None:
    place = service.folder / "data/07_model_output/forecasting/airline/forecast.csv"
    raw = pd.read_csv(service.folder / "data/01_raw/series/airline.csv")
    forecasts = []
    for times in (raw["ds"], raw["ds"] + clock):
        raw.assign(ds=times).to_csv(service.folder / "new.csv", index=False)
        service.done("forecast", "rows=new.csv,registered=true")
        forecasts.append(place.read_text())
    assert forecasts[0] == forecasts[1]


def test_a_forecast_of_rows_that_break_the_signature_names_the_column(service: Service) -> None:
    raw = pd.read_csv(service.folder / "data/01_raw/series/airline.csv")
    raw.rename(columns={"y": "passengers"}).to_csv(service.folder / "new.csv", index=False)
    result = service.kedro("forecast", "rows=new.csv,registered=true")
    assert result.exit_code == 1
    assert "column 'y' for y is missing" in result.output.splitlines()[-1]
    raw.tail(20).to_csv(service.folder / "new.csv", index=False)
    result = service.kedro("forecast", "rows=new.csv,registered=true")
    assert "series 'airline': 20 rows; expected the last 55 or more" in result.output


def test_nothing_is_registered_where_the_graph_differs(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unrolled.serving import graphs

    export = graphs.forecaster_graph

    def changed(networks: list, *rest: Any) -> bytes:
        ((weights, card),) = networks
        return export([Network({name: w * 1.001 for name, w in weights.items()}, card)], *rest)

    monkeypatch.setattr(graphs, "forecaster_graph", changed)
    result = service.kedro("deploy", GRU)
    assert result.exit_code == 1
    assert "what would be served differs from what was scored" in result.output.splitlines()[-1]
    assert len(client_of(service.uri).search_model_versions(f"name='{NAME}'")) == 1


def test_a_model_that_is_no_row_is_answered_with_the_rows_that_there_are(service: Service) -> None:
    result = service.kedro("deploy", "model=xgboost")
    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == (
        "Error: parameter 'model' is 'xgboost'; expected a row of the leaderboard of 'airline':"
        f" {', '.join(service.winner()['rows'])}"
    )


def refused_once_changed(
    service: Service, file: str, change: Callable[[bytes], bytes], *params: str
) -> None:
    path = service.folder / "data" / file
    content = path.read_bytes()
    path.write_bytes(change(content))
    try:
        result = service.kedro("deploy", *params)
    finally:
        path.write_bytes(content)
    found, scored = (hashlib.sha256(bytes_).hexdigest() for bytes_ in (change(content), content))
    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == (
        f"Error: file '{path}' has SHA-256 {found}, but the model that was scored had {scored};"
        " it is truncated or was changed: run the job again"
    )


@pytest.mark.parametrize(
    ("file", "change"),
    [
        (
            "06_models/forecasting/airline/gru/seed_0.safetensors",
            lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        ),
        (
            "06_models/forecasting/airline/gru/seed_0.json",
            lambda content: content[: len(content) // 2],
        ),
        (
            "04_feature/forecasting/airline/scaler.csv",
            lambda content: content.replace(b"airline,0.0,", b"airline,0.5,"),
        ),
    ],
)
def test_a_file_that_was_changed_or_cut_off_is_refused_by_its_name(
    service: Service, file: str, change: Callable[[bytes], bytes]
) -> None:
    refused_once_changed(service, file, change, "model=gru_median")


def test_a_changed_graph_is_refused_by_its_name(service: Service, tmp_path: Path) -> None:
    from unrolled.serving.forecaster import ServedForecaster

    folder = tmp_path / "served"
    shutil.copytree(service.model() / "artifacts/served", folder)
    graph = folder / "forecaster.onnx"
    graph.write_bytes(graph.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"file 'forecaster\.onnx' has SHA-256"):
        ServedForecaster(folder)


def answered_by_the_champion(service: Service) -> pd.DataFrame:
    raw = pd.read_csv(service.folder / "data/01_raw/series/airline.csv").to_dict("records")
    with service.serving(*OURS) as ask:
        status, answer = ask(records(raw))
    assert status == 200, answer
    return pd.DataFrame(json.loads(answer)["predictions"])


def test_rows_of_every_kind_are_deployed_and_rolling_back_swaps_the_last_two(
    service: Service,
) -> None:
    result = service.kedro("deploy", "rollback=true")
    assert "has no version 'previous' to roll back to" in result.output.splitlines()[-1]
    service.done("deploy", GRU)
    assert service.version() == "1"  # the same graph is not registered twice

    service.done("deploy", "model=theta")
    assert (service.version(), service.version("previous")) == ("2", "1")
    ahead = service.forecast("model=theta")
    assert ahead["variant"].tolist() == ["theta"] * 12
    found = answered_by_the_champion(service)
    np.testing.assert_allclose(found["y_hat"], ahead["y_hat"], rtol=1e-9)
    place = service.model()
    assert not list(place.rglob("*.onnx"))
    assert "onnxruntime" not in (place / "requirements.txt").read_text()
    raw = pd.read_csv(service.folder / "data/01_raw/series/airline.csv").tail(3).to_dict("records")
    answer = answer_without_torch(
        str(place), raw, service, without=("onnxruntime", "statsmodels", "scipy")
    )
    equal(answer, ahead.assign(ds=pd.to_datetime(ahead["ds"])))
    made = client_of(service.uri).get_model_version(NAME, "2")
    assert (made.tags["variant"], made.tags["kind"]) == ("theta", "baseline")
    winner = service.winner()
    better = min(winner["rows"], key=lambda name: winner["rows"][name]["validation_score"])
    assert winner["variant"] == better != "theta"
    assert made.tags["better_on_validation"].split() == [
        better,
        f"{winner['rows'][better]['validation_score']:.4g}",
    ]
    assert f"{made.tags['better_on_validation']} would have been better" in made.description

    other = "model=gru_median" if better == "gru" else ""  # not the network that is version 1
    service.done("deploy", *filter(None, [other]))
    assert (service.version(), service.version("previous")) == ("3", "2")
    ahead = service.forecast(*filter(None, [other]))
    found = answered_by_the_champion(service)
    np.testing.assert_allclose(found["y_hat"], ahead["y_hat"], rtol=1e-5)
    assert client_of(service.uri).get_model_version(NAME, "3").tags["kind"] == "ensemble"
    service.done("deploy", "rollback=true")
    assert (service.version(), service.version("previous")) == ("2", "3")


TANG = "corpus=tang,text.variants=[gru],text.baselines=[kneser_ney_2],text.training.epochs=0.02"


@pytest.fixture(scope="module")
def writer(service: Service) -> Service:
    service.done("text", TANG)
    service.done("deploy", TANG, "job=text")
    return service


def test_a_language_model_streams_what_its_network_would_write(
    writer: Service, caplog: pytest.LogCaptureFixture
) -> None:
    import mlflow
    import torch

    from unrolled.text.vocabulary import Vocabulary, encode_prompt
    from unrolled.training import text

    service = writer
    model = mlflow.pyfunc.load_model(str(service.model("text-tang")))
    frame = pd.DataFrame({"prompt": ["床前"]})
    params = {"length": 30, "temperature": 0.0, "seed": 0}
    streamed = "".join(model.predict_stream(frame, params=params))
    assert model.predict(frame, params=params)["text"].tolist() == [streamed]

    path = service.folder / "data/04_feature/text/tang/vocabulary.json"
    models = str(service.folder / "data/06_models/text/tang")
    row = Row(
        filepath=models,
        fitted={"filepath": str(path)},
        card="unrolled.training.cards.LanguageCard",
    ).load()
    ((weights, card),) = row.networks
    known = Vocabulary(**json.loads(path.read_text()))
    step, state, written = text.stepper(weights, card), None, ""
    for symbol in encode_prompt("床前", known).tolist():
        logits, state = step(torch.tensor([symbol]), state)
    for _ in range(30):
        logits[0, [known.unk, known.bos]] = -torch.inf
        symbol = int(logits.argmax())
        if symbol == known.eos:
            break
        written += known.characters[symbol - known.first]
        logits, state = step(torch.tensor([symbol]), state)
    assert streamed == written
    params |= {"temperature": 1.5, "seed": 3}
    said = "generate.temperature=1.5,generate.seed=3"
    service.done("generate", f"corpus=tang,prompt=床前,length=30,{said}")
    generated = service.folder / "data/07_model_output/text/tang/generated.txt"
    text = model.predict(frame, params=params)["text"][0]
    assert generated.read_text() == f"床前{text}\n"
    for extreme in (1e-40, 1e300):
        (text,) = model.predict(frame, params=params | {"temperature": extreme})["text"]
        assert set(text) <= set(known.characters)
        assert text == streamed or extreme > 1
    marked = pd.DataFrame({"prompt": ["\ufeff床?前x"]})
    answer = model.predict(marked, params=params)
    assert answer[["prompt", "unknown"]].values.tolist() == [["\ufeff床?前x", "?x"]]
    assert "prompt '床?前x': the model does not know '?', 'x'; read as <unk>" in caplog.messages
    with pytest.raises(mlflow.MlflowException, match=r"prompt is None; expected text"):
        model.predict(pd.DataFrame({"prompt": pd.Series([None], dtype=object)}), params=params)
    with pytest.raises(
        mlflow.MlflowException, match=r"length is 0; expected a whole number from 1 to 10000"
    ):
        model.predict(frame, params=params | {"length": 0})
    with pytest.raises(mlflow.MlflowException, match=r"11 prompts of length 10000 ask for more"):
        model.predict(pd.concat([frame] * 11), params=params | {"length": 10_000})


def test_a_card_of_a_language_model_names_the_counts_that_are_better(writer: Service) -> None:
    (made,) = client_of(writer.uri).search_model_versions("name='text-tang'")
    assert made.description.startswith("gru (recurrent, seed 0) on tang, the winner. On validation")
    assert made.tags["better_on_test"].startswith("kneser_ney_2 ")
    result = writer.kedro("deploy", TANG, "job=text", "model=kneser_ney_2")
    assert result.output.splitlines()[-1] == (
        "Error: parameter 'model' is 'kneser_ney_2', which counts n-grams and is not deployed;"
        " expected a language model: gru"
    )


def test_a_vocabulary_in_which_two_characters_changed_places_is_refused_by_its_name(
    writer: Service,
) -> None:
    def swapped(content: bytes) -> bytes:
        known = json.loads(content)
        first, second, *rest = known["characters"]
        return json.dumps(known | {"characters": "".join([second, first, *rest])}).encode()

    refused_once_changed(writer, "04_feature/text/tang/vocabulary.json", swapped, TANG, "job=text")


@pytest.mark.parametrize(
    "options",
    [
        "prompt=床前,generate.method=greedy,generate.repetition_penalty=1.2",
        "prompt=床前,generate.top_k=20,generate.top_p=0.9,generate.min_p=0.01,generate.number=2",
        "prompt=床前,generate.beam=4,generate.number=3",
        "generate.method=greedy",
    ],
)
def test_the_registered_champion_writes_what_its_network_on_disk_writes(
    writer: Service, options: str
) -> None:
    place = writer.folder / "data/07_model_output/text/tang/generated.txt"
    asked = f"corpus=tang,length=30,{options}"
    writer.done("generate", asked)
    expected = place.read_text()
    trained = writer.folder / "data/06_models/text/tang"
    trained.rename(trained.with_name("elsewhere"))
    try:
        writer.done("generate", asked, "registered=true")
    finally:
        trained.with_name("elsewhere").rename(trained)
    assert place.read_text() == expected
    assert len(expected) > len("床前\n")
