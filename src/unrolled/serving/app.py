"""`make serve`: MLflow's own scoring server, whose every answer to bad input is a sentence.

    python -m unrolled.serving.app models:/forecasting-airline@champion --port 5000

MLflow's server alone echoes what it could not read, however large, tells tracebacks to whoever
sends bad CSV, and takes bodies of any size.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp

from unrolled.errors import InputError, shown
from unrolled.serving.forecaster import COLUMNS, ServedForecaster, ServedSeries
from unrolled.serving.writer import (
    DEFAULTS,
    ServedText,
    ServedWriter,
    refuse_params,
    refuse_prompt,
)

Mend = Callable[[bytes], bytes]

MAX_BODY = 10_000_000  # bytes; MAX_ROWS rows of JSON fit
ZONED = (
    "column 'ds' has times with an offset from UTC; expected times without one, such as"
    " 2024-12-31T00:00:00, on the clock of the series"
)
SENTENCE = 400  # characters of an error that are told
GRACE = 5  # seconds that a stopped server gives the answers in the making


# What a body may be, of a model that takes these columns.
EXPECTED = {
    tuple(COLUMNS): (
        'expected {"dataframe_records": [{"unique_id": "a", "ds": "2024-12-31", "y": 1.5}, ...]}, or'
        ' {"dataframe_split": {"columns": [...], "data": [[...], ...]}}'
    ),
    ("prompt",): (
        'expected {"dataframe_records": [{"prompt": "To be"}, ...], "params": {"length": 200}}, or'
        ' {"dataframe_split": {"columns": ["prompt"], "data": [["To be"], ...]}}'
    ),
}

# A date of ISO 8601: month, day, time, fraction of a second, offset from UTC.
_ISO = re.compile(
    r"(\d{4}-\d\d)(?:(-\d\d)(?:[T ](\d\d(?::\d\d(?::\d\d(?:\.(\d{1,9}))?)?)?)"
    r"([Zz]|[+-]\d\d(?::?\d\d)?)?)?)?",
    re.ASCII,
)


def guarded(app: Starlette, mend: Mend | None = None) -> Starlette:
    """The same application, which reads JSON up to `MAX_BODY` and explains errors in a sentence.

    Args:
        app: MLflow's.
        mend: reads the body of a request and gives what MLflow is to read; its `InputError` is the
            answer. None: MLflow reads it as it is.
    """

    async def guard(request: Request, call_next: RequestResponseEndpoint) -> Response:
        try:
            body = await _read(request)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody hears it
        if body is None:
            return _refusal(413, f"the body has more than {MAX_BODY:,} bytes; send fewer rows")
        kind = request.headers.get("content-type", "")
        if request.method == "POST" and kind.partition(";")[0].strip() != "application/json":
            found = repr(kind) if kind else "missing"
            return _refusal(415, f"the Content-Type is {found}; expected application/json")
        if mend and request.method == "POST":
            try:
                body = mend(body)
            except InputError as error:
                return _refusal(400, str(error))
        # Where Starlette keeps what was read; FastAPI's documentation changes a body there as well.
        request._body = body
        try:
            answer: Any = await call_next(request)
        except RecursionError:  # JSON nested a thousand deep
            return _refusal(400, "the body cannot be read: its JSON is nested too deeply")
        except ValueError as error:  # a number of more digits than Python reads
            return _refusal(400, _sentence(f"the body cannot be read: {error}".encode()))
        if answer.status_code < 400:
            return answer
        told = b"".join([part async for part in answer.body_iterator])
        return _refusal(answer.status_code, _sentence(told))

    app.add_middleware(BaseHTTPMiddleware, dispatch=guard)  # outside of MLflow's own, a time limit
    return app


async def _read(request: Request) -> bytes | None:
    """The whole body; None where it is too large, read to its end so that the asker listens."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size <= MAX_BODY:
            parts.append(part)
    return b"".join(parts) if size <= MAX_BODY else None


def _refusal(status: int, sentence: str) -> Response:
    answer = json.dumps({"error": sentence}, ensure_ascii=False)
    return Response(answer, status, media_type="application/json")


def mended(body: bytes, ds: str, clock: str) -> bytes:
    """A request to a forecaster whose times `ds` are written alike, without offset, on a clock.

    MLflow hands them to pandas, which guesses: `03.04.2015` is the fourth of March, a number
    counts nanoseconds, `now` is the clock on the wall.

    Args:
        body: of the request; given back as it is where there is nothing to mend.
        ds: type of the times that the model takes, `datetime` or `long`.
        clock: that the model's series are on, `local`, `UTC` or `+01:00`: times with an offset from
            UTC are brought to it; empty: it knows none, and they are refused.

    >>> body = b'{"dataframe_records": [{"unique_id": "a", "ds": "2024-07-01T00:30:00+02:00", "y": 1}]}'
    >>> mended(body, "datetime", "+01:00")
    b'{"dataframe_records": [{"unique_id": "a", "ds": "2024-06-30T23:30:00", "y": 1}]}'

    Raises:
        InputError: rows in another form, a time that would be guessed, truth for a number, or what the
            model does not know.
    """
    found, rows = _read_json(body, COLUMNS)
    if found.get("params"):
        raise InputError(f"params has {_names(found['params'])}; this model takes no params")
    for number, row in enumerate(rows, start=1):
        if isinstance(row.get("y"), bool):
            raise InputError(
                f"column 'y' is {str(row['y']).lower()} in row {number}; expected a number"
            )
    times = [row.get("ds") for row in rows]
    if ds == "long":
        _refuse_no_whole(times)
        return body
    brought = _brought(times, clock)
    if brought == times:
        return body
    for row, time in zip(rows, brought, strict=True):
        if time is not None:
            row["ds"] = time
    if "dataframe_split" in found:
        found["dataframe_split"]["data"] = [list(row.values()) for row in rows]
    return json.dumps(found).encode()


def prompted(body: bytes) -> bytes:
    """A request to a language model, given back as it is once all of it is known to be right.

    MLflow leaves out params and columns that it does not know, and its own sentences are about its types.

    Raises:
        InputError: rows in another form, or a prompt, column or param that cannot be.
    """
    found, rows = _read_json(body, ["prompt"])
    params = found.get("params") or {}
    if not isinstance(params, dict):
        raise InputError(
            f"params is {shown(params)}; expected values by name, of {', '.join(DEFAULTS)}"
        )
    refuse_params(params)
    for number, row in enumerate(rows, start=1):
        refuse_prompt(row["prompt"], f" in row {number}" if len(rows) > 1 else "")
    return body


def _read_json(body: bytes, columns: Sequence[str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The body of a request, and its rows, which have these columns."""
    expected = EXPECTED[tuple(columns)]
    try:
        found = json.loads(body)
    except RecursionError:
        raise InputError("the body cannot be read: its JSON is nested too deeply") from None
    except ValueError as error:
        raise InputError(f"the body cannot be read as JSON: {error}; {expected}") from None
    if not isinstance(found, dict):
        raise InputError(f"the body is {shown(found)}; {expected}")
    rows = _rows(found, expected)
    for number, row in enumerate(rows, start=1):
        unknown = [column for column in row if column not in columns]
        if unknown:
            raise InputError(
                f"column {shown(unknown[0])} in row {number} is unknown; expected"
                f" {', '.join(columns)}"
            )
        missing = [column for column in columns if column not in row]
        if missing:
            raise InputError(
                f"column '{missing[0]}' is missing in row {number}, found"
                f" {', '.join(row) or 'none'}; expected {', '.join(columns)}"
            )
    return found, rows


def _names(params: object) -> str:
    """What stands in params, for a sentence."""
    return ", ".join(map(shown, list(params)[:5])) if isinstance(params, dict) else shown(params)


def _rows(found: dict[str, Any], expected: str) -> list[dict[str, Any]]:
    """The rows of a request, in either form; others would reach the model unseen."""
    forms = [key for key in found if key != "params"]
    if forms == ["dataframe_records"]:
        rows = found["dataframe_records"]
        if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
            return _some(rows, expected)
        raise InputError(f"dataframe_records is no list of rows by column; {expected}")
    if forms != ["dataframe_split"]:
        raise InputError(
            f"the body has {', '.join(map(shown, forms[:5])) or 'no rows'}; {expected}"
        )
    split = found["dataframe_split"]
    columns, data = (
        (split.get("columns"), split.get("data")) if isinstance(split, dict) else (None, None)
    )
    if (
        not isinstance(columns, list)
        or not all(isinstance(column, str) for column in columns)
        or len(set(columns)) < len(columns)
        or not isinstance(data, list)
        or not all(isinstance(row, list) and len(row) == len(columns) for row in data)
    ):
        raise InputError(
            "dataframe_split is no list of columns, each named once, with rows of as many values;"
            f" {expected}"
        )
    return _some([dict(zip(columns, row, strict=True)) for row in data], expected)


def _some(rows: list[dict[str, Any]], expected: str) -> list[dict[str, Any]]:
    if not rows:
        raise InputError(f"the body has 0 rows; {expected}")
    return rows


def _refuse_no_whole(times: list[Any]) -> None:
    """Refuse what is no whole number; what is empty is refused by the model."""
    for number, time in enumerate(times, start=1):
        whole = type(time) is int or (type(time) is float and time.is_integer())
        if not whole and time is not None:
            raise InputError(
                f"column 'ds' is {shown(time)} in row {number}; expected whole numbers, such as 2024"
            )


def _brought(times: list[Any], clock: str) -> list[Any]:
    """Dates of ISO 8601, all with as many digits and on the clock; what is empty stays so."""
    zone = (
        datetime.strptime(clock.replace("UTC", "Z"), "%z").tzinfo
        if clock not in ("", "local")
        else None
    )
    offsets, fraction, forms = False, 0, set()
    found: list[tuple[datetime, str] | None] = []
    for number, time in enumerate(times, start=1):
        if time is None:
            found.append(None)
            continue
        parts = _ISO.fullmatch(time) if isinstance(time, str) else None
        try:
            if parts is None:
                raise ValueError
            month, day, hours, digits, offset = parts.groups("")
            written = f"{month}{day or '-01'}T{(hours or '00').partition('.')[0]}{offset.upper()}"
            moment = datetime.fromisoformat(written)
            if offset and zone:
                moment = moment.astimezone(zone)
        except (ValueError, OverflowError):
            raise InputError(
                f"column 'ds' is {shown(time)} in row {number}; expected dates such as 2024-12-31"
                " or 2024-12-31T23:00:00"
            ) from None
        if offset and not clock:
            raise InputError(ZONED)
        offsets, fraction = offsets or bool(offset), max(fraction, len(digits))
        forms.add((len(time), time[10:11]))
        found.append((moment.replace(tzinfo=None), digits))
    if not offsets and len(forms) < 2:
        return times
    return [
        one and one[0].isoformat() + (f".{one[1]:0<{fraction}}" if fraction else "")
        for one in found
    ]


def _sentence(answer: bytes) -> str:
    r"""What is wrong, from MLflow's answer: without the data sent, without a traceback.

    >>> _sentence(rb'{"message": "Failed to predict data: 1 2 3. \nError: too few rows"}')
    'too few rows'
    """
    text = answer.decode("utf-8", errors="replace")
    try:
        found = json.loads(text)
        # Starlette's own errors are {"detail": ...}.
        text = str(found.get("message") or found.get("detail") or text)
    except (ValueError, AttributeError):
        pass
    text = text.partition("\nInput: ")[0].partition(" IMPORTANT: ")[0].rpartition("\nError: ")[2]
    if text.startswith("Failed to enforce schema"):
        text = text.rpartition(" Error: ")[2]
    text = " ".join(text.split())
    return text if len(text) <= SENTENCE else f"{text[:SENTENCE]} ..."


def application(model: Any) -> Starlette:  # noqa: ANN401
    """MLflow's server of a loaded model, guarded."""
    from mlflow.pyfunc import scoring_server

    served = getattr(model.unwrap_python_model(), "served", None)
    known = served.known if isinstance(served, ServedForecaster | ServedWriter) else None
    return guarded(scoring_server.init(model), mend_of(known))


def mend_of(known: ServedSeries | ServedText | None) -> Mend | None:
    """What reads the requests to a model that knows this; None: it is not one of ours."""
    if isinstance(known, ServedSeries):
        return partial(mended, ds=known.ds, clock=known.clock)
    return prompted if known else None


def serve(app: ASGIApp, host: str, port: int) -> None:
    """Answer until stopped; what is not answered `GRACE` seconds after that never is."""
    import uvicorn

    # uvicorn hears Ctrl-C first, ends the answers and hands it on: Python's own way to end would then
    # wait for the threads that still write.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    uvicorn.run(app, host=host, port=port, timeout_graceful_shutdown=GRACE)


def main() -> None:
    """Serve a registered model on the loopback interface until stopped."""
    from unrolled.tracking import DEFAULT_URI, absolute_uri

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("model", help="models:/NAME@champion, or any other model URI of MLflow")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5000)
    options = parser.parse_args()
    for variable in ("DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY"):
        os.environ[variable] = "true"
    os.environ.setdefault("MLFLOW_TRACKING_URI", absolute_uri(DEFAULT_URI, Path.cwd()))
    from mlflow.exceptions import MlflowException
    from mlflow.pyfunc import load_model

    try:
        model = load_model(options.model)
    except MlflowException as error:
        parser.exit(1, f"Error: model '{options.model}' cannot be loaded: {error.message}\n")
    serve(application(model), options.host, options.port)


if __name__ == "__main__":
    main()
