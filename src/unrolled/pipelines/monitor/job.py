"""What the project knows of the monitoring of a forecaster in service."""

from __future__ import annotations

from unrolled.study.job import Job

JOB = Job(name="monitor", order=30, data="series")
