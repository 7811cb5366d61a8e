"""What the project knows of forecasts of what comes after the last row."""

from __future__ import annotations

from unrolled.study.job import Job

JOB = Job(name="forecast", order=70)
