"""What the project knows of writing."""

from __future__ import annotations

from unrolled.study.job import Job

JOB = Job(name="generate", order=60)
