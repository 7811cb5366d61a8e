"""What the guard of the server makes of the body of a request; whole requests are in test_serving_runs."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from unrolled.errors import InputError
from unrolled.serving.app import EXPECTED, GRACE, ZONED, guarded, mend_of, mended, prompted
from unrolled.serving.forecaster import ServedSeries
from unrolled.serving.writer import ServedText

ROWS, PROMPTS = EXPECTED.values()


def records(*times: object) -> bytes:
    rows = [{"unique_id": "a", "ds": time, "y": 1.5} for time in times]
    return json.dumps({"dataframe_records": rows}).encode()


def split(*times: object) -> bytes:
    data = [[time, 1.5, "a"] for time in times]
    columns = ["ds", "y", "unique_id"]
    return json.dumps({"dataframe_split": {"columns": columns, "data": data}}).encode()


def times_of(body: bytes) -> list:
    found = json.loads(body)
    rows = found.get("dataframe_records")
    return (
        [row["ds"] for row in rows]
        if rows
        else [row[0] for row in found["dataframe_split"]["data"]]
    )


@pytest.mark.parametrize("form", [records, split])
@pytest.mark.parametrize(
    "time",
    [
        *("03.04.2015", "03/04/2015", "2015/04/03", "15-04-03", "3 April 2015", "20150403", "2015"),
        *("now", "today", "NaT", "", " 2015-04-03", "2015-W14", "2015-13", "2015-02-30", "٢٠١٥-04-03"),
        *("2015-04-03T25:00", "2015-04-03T24:00", "2015-04-03T10:00:00.1234567890", "2015-04T10:00"),
        *(20150403, 1428019200, 1.5, True, [], {}),
    ],
)  # fmt: skip
def test_a_date_that_is_not_iso_is_refused(form, time):
    with pytest.raises(InputError) as error:
        mended(form("2015-04-02", time), "datetime", "")
    assert str(error.value) == (
        f"column 'ds' is {time!r} in row 2; expected dates such as 2024-12-31 or 2024-12-31T23:00:00"
    )


@pytest.mark.parametrize("form", [records, split])
@pytest.mark.parametrize("time", ["5", "2015-04-03", 5.5, float("inf"), True, []])
def test_what_is_no_whole_number_is_refused_of_a_model_of_whole_numbers(form, time):
    body = form(1, 5.0, None, 7)
    assert mended(body, "long", "") is body
    with pytest.raises(InputError) as error:
        mended(form(1, time), "long", "")
    assert str(error.value) == (
        f"column 'ds' is {time!r} in row 2; expected whole numbers, such as 2024"
    )


@pytest.mark.parametrize("form", [records, split])
@pytest.mark.parametrize(
    "times",
    [
        ["2024-12-31", None],
        ["2024-12", "2025-01"],
        ["2024-12-31T23:00:00", "2025-01-01T00:00:00"],
        ["2024-12-31 23:00", "2025-01-01 00:00"],
        ["2024-12-31T23:00:00.000250", "2024-12-31T23:00:00.000500"],
    ],
)
def test_dates_of_one_form_are_passed_on_byte_for_byte(form, times):
    body = form(*times)
    assert mended(body, "datetime", "") is body
    assert mended(body, "datetime", "+01:00") is body


@pytest.mark.parametrize("form", [records, split])
def test_dates_of_several_forms_are_written_alike(form):
    body = form("2024-12", "2024-12-31 23:00", None, "2024-12-31T23:00:00.25")
    assert times_of(mended(body, "datetime", "")) == [
        "2024-12-01T00:00:00.00",
        "2024-12-31T23:00:00.00",
        None,
        "2024-12-31T23:00:00.25",
    ]


@given(
    st.lists(
        st.tuples(
            st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)),
            st.integers(0, 999),
            st.integers(-14 * 60, 14 * 60),
        ),
        min_size=1,
    )
)
def test_a_time_with_an_offset_is_on_the_models_clock_as_pandas_has_it(drawn):
    times = [
        (pd.Timestamp(time) + pd.Timedelta(more, "ns")).tz_localize(
            timezone(timedelta(minutes=offset))
        )
        for time, more, offset in drawn
    ]
    body = records(*(time.isoformat() for time in times))

    def on(clock):
        found = times_of(mended(body, "datetime", clock))
        assert len({len(time) for time in found}) == 1  # MLflow takes one form
        return list(map(pd.Timestamp, found))

    for clock in ("UTC", "+05:30", "-03:00"):
        assert on(clock) == [time.tz_convert(clock).tz_localize(None) for time in times]
    assert on("local") == [time.tz_localize(None) for time in times]
    with pytest.raises(InputError) as error:
        mended(body, "datetime", "")
    assert str(error.value) == ZONED


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"inputs": [{"ds": "now"}]}, "the body has 'inputs'"),
        ({"instances": [{"ds": "now"}]}, "the body has 'instances'"),
        ({"dataframe_records": [], "messages": []}, "the body has 'dataframe_records', 'messages'"),
        ({"params": {}}, "the body has no rows"),
        ({"dataframe_records": []}, "the body has 0 rows"),
        ({"dataframe_split": {"columns": [], "data": []}}, "the body has 0 rows"),
        ([1], "the body is [1]"),
        ({"dataframe_records": {"ds": ["now"]}}, "dataframe_records is no list of rows by column"),
        ({"dataframe_records": [["now"]]}, "dataframe_records is no list of rows by column"),
        *(
            (
                {"dataframe_split": split},
                "dataframe_split is no list of columns, each named once, with rows of as many values",
            )
            for split in (
                3,
                {"columns": ["ds", "y"], "data": {"ds": ["now"], "y": [1]}},
                {"columns": ["ds", "y"], "data": [["now"]]},
                {"columns": ["ds", "ds"], "data": [["now", "now"]]},
                {"columns": [["ds", "y"]], "data": [["now"]]},
                {"data": [["now"]]},
            )
        ),
    ],
)
def test_rows_that_would_reach_the_model_unseen_are_refused(body, found):
    with pytest.raises(InputError) as error:
        mended(json.dumps(body).encode(), "datetime", "")
    assert str(error.value) == f"{found}; {ROWS}"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"hello", "Expecting value: line 1 column 1 (char 0)"),
        (b"", "Expecting value: line 1 column 1 (char 0)"),
        (b"\xff", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
)
def test_what_is_no_json_is_told_where(body, why):
    for mend, expected in ((lambda body: mended(body, "datetime", ""), ROWS), (prompted, PROMPTS)):
        with pytest.raises(InputError) as error:
            mend(body)
        assert str(error.value) == f"the body cannot be read as JSON: {why}; {expected}"


@pytest.mark.parametrize(
    ("more", "params", "sentence"),
    [
        (
            {"rain": 1}, {},
            "column 'rain' in row 2 is unknown; expected unique_id, ds, y",
        ),
        (
            {}, {"horizon": 3},
            "params has 'horizon'; this model takes no params",
        ),
        ({}, [1], "params has [1]; this model takes no params"),
    ],
)  # fmt: skip
def test_what_a_forecaster_does_not_know_is_named(more, params, sentence):
    row = {"unique_id": "a", "ds": "2024-12-31", "y": 1}
    body = {"dataframe_records": [row, row | more], "params": params}
    with pytest.raises(InputError) as error:
        mended(json.dumps(body).encode(), "datetime", "")
    assert str(error.value) == sentence


def test_a_missing_column_is_named_with_those_that_are_there():
    body = {"dataframe_records": [{"unique_id": "a", "ds": "2024-12-31"}]}
    with pytest.raises(InputError) as error:
        mended(json.dumps(body).encode(), "datetime", "")
    assert str(error.value) == (
        "column 'y' is missing in row 1, found unique_id, ds; expected unique_id, ds, y"
    )


LENGTH = "expected a whole number from 1 to 10000"
HEAT = "expected a finite number of 0 or more"


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        (
            {"top_k": 5},
            "params has 'top_k', which is unknown; expected length, temperature, seed",
        ),
        (
            {"temprature": 1, "length": 3},
            "params has 'temprature', which is unknown; expected length, temperature, seed",
        ),
        ({"length": "5"}, f"length is '5'; {LENGTH}"),
        ({"length": 5.7}, f"length is 5.7; {LENGTH}"),
        ({"length": True}, f"length is true; {LENGTH}"),
        ({"length": None}, f"length is None; {LENGTH}"),
        ({"length": 10**60}, f"length is 1{'0' * 60}; {LENGTH}"),
        ({"temperature": -1}, f"temperature is -1; {HEAT}"),
        ({"temperature": float("nan")}, f"temperature is nan; {HEAT}"),
        ({"temperature": float("inf")}, f"temperature is inf; {HEAT}"),
        ({"temperature": "hot"}, f"temperature is 'hot'; {HEAT}"),
        ({"seed": -1}, "seed is -1; expected a whole number from 0 to 9223372036854775807"),
        ([5], "params is [5]; expected values by name, of length, temperature, seed"),
    ],
)
def test_params_that_a_writer_does_not_take_are_named(params, sentence):
    body = {"dataframe_records": [{"prompt": "a"}], "params": params}
    with pytest.raises(InputError) as error:
        prompted(json.dumps(body).encode())
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([{"prompt": "a", "top_k": 5}], "column 'top_k' in row 1 is unknown; expected prompt"),
        ([{"prompt": "a"}, {}], "column 'prompt' is missing in row 2, found none; expected prompt"),
        ([{"prompt": 5}], "prompt is 5; expected text"),
        ([{"prompt": "a"}, {"prompt": None}], "prompt is None in row 2; expected text"),
        (
            [{"prompt": "caf\udce9"}],
            "prompt 'caf\\udce9' holds the lone surrogate U+DCE9, which is no character; expected text"
            " in UTF-8",
        ),
        ([{"prompt": "a" * 10_001}], "prompt has 10001 characters; expected at most 10000"),
    ],
)
def test_a_prompt_that_cannot_be_is_told(rows, sentence):
    with pytest.raises(InputError) as error:
        prompted(json.dumps({"dataframe_records": rows}).encode())
    assert str(error.value) == sentence


def test_a_prompt_without_rows_is_answered_with_what_was_expected():
    with pytest.raises(InputError) as error:
        prompted(b'{"prompt": "a"}')
    assert str(error.value) == f"the body has 'prompt'; {PROMPTS}"


def test_a_request_to_a_forecaster_is_mended_by_what_it_knows_of_its_series():
    known = ServedSeries(
        sha256="", lowest="", horizon=1, ds="datetime", clock="+01:00", series={"a": "h"}
    )
    body = records("2024-07-01T00:30:00+02:00")
    assert times_of(mend_of(known)(body)) == ["2024-06-30T23:30:00"]
    whole = mend_of(known.model_copy(update={"ds": "long"}))
    with pytest.raises(InputError, match="expected whole numbers"):
        whole(body)


def test_a_right_request_to_a_writer_is_passed_on_byte_for_byte():
    known = ServedText(
        sha256="", reading={}, characters="ab", first=0, before=[], empty=[], lowest=0, stop=None,
        state=[],
    )  # fmt: skip
    mend = mend_of(known)
    for params in (None, {}, {"length": 1, "temperature": 0, "seed": 2**63 - 1}):
        body = json.dumps({"dataframe_records": [{"prompt": ""}], "params": params}).encode()
        assert mend(body) is body


def test_a_model_that_is_not_ours_is_asked_as_it_is():
    assert mend_of(None) is None
    body = b'{"inputs": [{"prompt": "now", "ds": true}]}'
    heard, told = asked({"type": "http.request", "body": body})
    assert heard == [body]
    assert b"".join(message.get("body", b"") for message in told) == b"{}"


def test_who_leaves_while_sending_is_not_answered_by_the_model():
    left = {"type": "http.disconnect"}
    heard, told = asked({"type": "http.request", "body": b'{"inputs"', "more_body": True}, left)
    assert heard == []
    assert told[0]["status"] == 400


def asked(*messages: dict) -> tuple[list[bytes], list[dict]]:
    """What a guarded application hears of a request, and what the asker is told."""
    heard, told = [], []

    async def app(request):
        heard.append(await request.body())
        return Response(b"{}")

    async def send(message):
        told.append(message)

    coming = iter(messages)

    async def receive():
        return next(coming)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "headers": [(b"content-type", b"application/json")],
    }
    guard = guarded(Starlette(routes=[Route("/", app, methods=["POST"])]))
    asyncio.run(guard(scope, receive, send))
    return heard, told


SLOW = """
import asyncio, sys, time
from unrolled.serving.app import serve

async def app(scope, receive, send):
    if scope["type"] == "http":
        print("asked", flush=True)
        await asyncio.to_thread(time.sleep, 120)

serve(app, "127.0.0.1", int(sys.argv[1]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_server_does_not_wait_for_a_long_answer(number):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(port)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        # As from a shell: a job in the background would be deaf to Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        for _ in range(600):
            try:
                asker = socket.create_connection(("127.0.0.1", port))
                break
            except OSError:
                time.sleep(0.1)
        with asker:
            asker.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            assert process.stdout.readline() == b"asked\n"
            before = time.monotonic()
            process.send_signal(number)
            assert process.wait(60) == -number
            assert GRACE - 1 < time.monotonic() - before < GRACE + 20
    finally:
        process.kill()
        process.stdout.close()
