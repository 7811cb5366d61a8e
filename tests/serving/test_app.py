"""What the guard of the server makes of the times of a request; whole requests are in test_serving_runs."""

import asyncio
import json
from datetime import datetime, timedelta, timezone

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.errors import InputError
from unrolled.serving.app import EXPECTED, ZONED, guarded, mended


def records(*times: object) -> bytes:
    return json.dumps({"dataframe_records": [{"ds": time, "y": 1.5} for time in times]}).encode()


def split(*times: object) -> bytes:
    data = [[time, 1.5] for time in times]
    return json.dumps({"dataframe_split": {"columns": ["ds", "y"], "data": data}}).encode()


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
    assert str(error.value) == f"{found}; {EXPECTED}"


@pytest.mark.parametrize("body", [b"hello", b"[1]", b"", b"\xff", b'{"y": ' + b"9" * 5000 + b"}"])
def test_what_is_no_json_object_is_left_to_mlflow(body):
    assert mended(body, "datetime", "") is body


def test_a_model_without_times_is_asked_as_it_is():
    body = b'{"inputs": [{"prompt": "now", "ds": true}]}'
    heard = []

    async def app(_scope, receive, send):
        heard.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def receive():
        return {"type": "http.request", "body": body}

    async def send(_message):
        return None

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"application/json")]}
    asyncio.run(guarded(app)(scope, receive, send))
    assert heard == [body]
