"""What the project knows of putting a model into service."""

from __future__ import annotations

from unrolled.study.job import Job

JOB = Job(name="deploy", order=50)
