"""What the project knows of the forecasting job."""

from __future__ import annotations

from unrolled.study.job import Job

JOB = Job(
    name="forecasting",
    order=10,
    data="series",
    trains=True,
    by_default=True,
    results=("leaderboard", "protocol", "champion", "winner"),
    shown_last={"forecast": "The forecast after the last row"},
    next_step={"winner": 'Into service: kedro run --pipelines=deploy --params "series={name}"'},
)
