"""What the project knows of the gradients job."""

from __future__ import annotations

from unrolled.study.job import Job

JOB = Job(
    name="gradients",
    order=40,
    trains=True,
    by_default=True,
    results=("summary", "protocol"),
    tags={"networks": ("variant", "init"), "matrix": ("remedy", "task", "length")},
    runs="networks and batches",
)
