"""The resolved options, laid out under the namespaces of nodes, where these ask for them."""

from __future__ import annotations

from typing import Any

from unrolled.study.job import Study


def as_parameters(study: Study) -> dict[str, Any]:
    """The resolved options of all jobs, as their nodes ask for them."""
    return {
        job.name: job.lay_out(study.by_job[job.name])
        for job in study.jobs
        if job.lay_out is not None
    }


def by_variant(study: Any) -> dict[str, Any]:  # noqa: ANN401
    """Options of a job that compares variants with baselines.

    Args:
        study: has `name`, `source`, `contenders` by variant, `baselines` and `seeds`.
    """
    found: dict[str, Any] = {
        "name": study.name,
        "source": study.source,
        "seeds": list(study.seeds),
        "rows": {"recurrent": list(study.contenders), "baseline": list(study.baselines)},
    }
    found |= {baseline: {"variant": baseline} for baseline in study.baselines}
    for variant, contender in study.contenders.items():
        seeds = {f"seed_{seed}": {"variant": variant, "seed": seed} for seed in study.seeds}
        found[variant] = contender.model_dump(mode="json") | seeds
    return found
