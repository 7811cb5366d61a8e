"""The monitoring of a forecaster in service as the project knows it."""

from __future__ import annotations

from typing import Any

from unrolled.series.monitoring import MonitorOptions
from unrolled.study.checks import checked
from unrolled.study.job import Given, Job


def _read(given: Given) -> MonitorOptions:
    return checked(MonitorOptions, ("monitor", given.parameters.get("monitor", {})))


def _lay_out(options: MonitorOptions) -> dict[str, Any]:
    return {"options": options.model_dump(mode="json")}


JOB = Job(
    name="monitor",
    order=30,
    data="series",
    parameters={"monitor": MonitorOptions},
    read=_read,
    lay_out=_lay_out,
    reads_only=True,
)
