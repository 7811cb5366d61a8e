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
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from unrolled.errors import InputError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

MAX_BODY = 10_000_000  # bytes; MAX_ROWS rows of JSON fit
ZONED = (
    "column 'ds' has times with an offset from UTC; expected times without one, such as"
    " 2024-12-31T00:00:00, on the clock of the series"
)
SENTENCE = 400  # characters of an error that are told


# What a request may hold that MLflow takes for something else: times with an offset from UTC, words
# that pandas reads as the clock, truth for a number.
_ODD = re.compile(
    rb'"\d{4}-[^"]*\d[Tt ]\d[^"]*(?:[Zz]|[+-]\d\d:?(?:\d\d)?)"|"\s*(?i:now|today)\s*"|true|false'
)


def guarded(app: App, clock: str = "") -> App:
    """The same application, which reads JSON up to `MAX_BODY` and explains errors in a sentence.

    Args:
        app: MLflow's.
        clock: that the model's series are on, `local`, `UTC` or `+01:00`: times with an offset from
            UTC are brought to it; empty: it knows none, and they are refused.
    """

    async def guard(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await app(scope, receive, send)
        body = await _read(receive)
        if body is None:
            return await _refuse(
                send, 413, f"the body has more than {MAX_BODY:,} bytes; send fewer rows"
            )
        kind = dict(scope["headers"]).get(b"content-type", b"").decode("latin-1")
        if scope["method"] == "POST" and kind.partition(";")[0].strip() != "application/json":
            found = repr(kind) if kind else "missing"
            return await _refuse(
                send, 415, f"the Content-Type is {found}; expected application/json"
            )
        if _ODD.search(body):
            try:
                body = mended(body, clock)
            except InputError as error:
                return await _refuse(send, 400, str(error))
        status, headers, answer = await _answered(app, scope, body)
        if status >= 400:
            return await _refuse(send, status, _sentence(answer))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        return await send({"type": "http.response.body", "body": answer})

    return guard


def mended(body: bytes, clock: str) -> bytes:
    """A request whose times `ds` have no offset, on a clock; as it is where it is no such request.

    >>> mended(b'{"dataframe_records": [{"ds": "2024-07-01T00:30:00+02:00", "y": 1}]}', "+01:00")
    b'{"dataframe_records": [{"ds": "2024-06-30T23:30:00", "y": 1}]}'

    Raises:
        InputError: a word for a time, truth for a number.
    """
    try:
        found = json.loads(body)
        split = found.get("dataframe_split", {})
        columns = split.get("columns", [])
        rows = [dict(zip(columns, row, strict=True)) for row in split.get("data", [])]
        rows += found.get("dataframe_records", [])
        for number, row in enumerate(rows):
            if isinstance(row.get("y"), bool):
                raise InputError(
                    f"column 'y' is {str(row['y']).lower()} in row {number + 1}; expected a number"
                )
            if isinstance(row.get("ds"), str):
                row["ds"] = _brought(row["ds"], clock, number + 1)
        if split:
            split["data"] = [[row[column] for column in columns] for row in rows]
        return json.dumps(found).encode()
    except InputError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return body  # MLflow says what is wrong


def _brought(stamp: str, clock: str, row: int) -> str:
    if stamp.strip().lower() in ("now", "today"):
        raise InputError(
            f"column 'ds' is {stamp!r} in row {row}; expected dates such as 2024-12-31"
        )
    if not clock:
        return stamp
    time = datetime.fromisoformat(stamp)
    if time.tzinfo is not None and clock != "local":
        time = time.astimezone(UTC if clock == "UTC" else datetime.strptime(clock, "%z").tzinfo)
    return time.replace(tzinfo=None).isoformat()


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None where it is too large, read to its end so that the asker listens."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size <= MAX_BODY:
            parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts) if size <= MAX_BODY else None


async def _answered(
    app: App, scope: Message, body: bytes
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of the application's answer."""
    status, headers, parts = 500, [], []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def keep(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], message["headers"]
        else:
            parts.append(message.get("body", b""))

    try:
        await app(scope, receive, keep)
    except RecursionError:  # JSON nested a thousand deep
        return 400, [], b"the body cannot be read: its JSON is nested too deeply"
    except ValueError as error:  # a number of more digits than Python reads
        return 400, [], f"the body cannot be read: {error}".encode()
    return status, headers, b"".join(parts)


async def _refuse(send: Send, status: int, sentence: str) -> None:
    answer = json.dumps({"error": sentence}, ensure_ascii=False).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


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
    if "timezone" in text:  # MLflow neither names the column nor says what to send
        return ZONED
    if text.startswith("Failed to enforce schema"):
        text = text.rpartition(" Error: ")[2]
    text = " ".join(text.split())
    return text if len(text) <= SENTENCE else f"{text[:SENTENCE]} ..."


def application(model: Any) -> App:  # noqa: ANN401
    """MLflow's server of a loaded model, guarded."""
    from mlflow.pyfunc import scoring_server

    served = getattr(model.unwrap_python_model(), "served", None)
    return guarded(scoring_server.init(model), getattr(served, "options", {}).get("clock", ""))


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
    import uvicorn
    from mlflow.exceptions import MlflowException
    from mlflow.pyfunc import load_model

    try:
        model = load_model(options.model)
    except MlflowException as error:
        parser.exit(1, f"Error: model '{options.model}' cannot be loaded: {error.message}\n")
    uvicorn.run(application(model), host=options.host, port=options.port)


if __name__ == "__main__":
    main()
