"""What the project knows of the text job."""

from __future__ import annotations

from unrolled.study.job import Job

JOB = Job(
    name="text",
    order=20,
    data="corpus",
    trains=True,
    by_default=True,
    results=("leaderboard", "protocol", "champion", "winner"),
)
