"""The resolved options, laid out under the namespaces of nodes, where these ask for them."""

from __future__ import annotations

from typing import Any

from unrolled.study.models import ForecastingStudy, GradientsStudy, Study, TextStudy


def as_parameters(study: Study) -> dict[str, Any]:
    """The resolved options, laid out as the namespaced nodes ask for them."""
    series, text = study.forecasting, study.text
    return {
        "forecasting": _by_variant(series)
        | {name: {"variant": name} for name in series.ensembles}
        | {"series": series.series.model_dump(mode="json")},
        "text": _by_variant(text)
        | {
            "corpus": text.corpus.model_dump(mode="json"),
            "init_from": text.init_from,
            "samples": text.samples.model_dump(mode="json"),
        },
        "monitor": {"options": study.monitor.model_dump(mode="json")},
        "gradients": _by_cell(study.gradients),
    }


def _by_cell(study: GradientsStudy) -> dict[str, Any]:
    """Options of the networks looked at, and of every batch of the matrix."""
    return study.model_dump(mode="json", include={"name", "theory", "training", "seeds"}) | {
        "length": max(study.lengths),
        "networks": {
            variant: {
                init: {"variant": variant, "layer": layer.model_dump(mode="json")}
                for init, layer in by_init.items()
            }
            for variant, by_init in study.networks.items()
        },
        "matrix": {
            remedy: {
                task: {
                    f"length_{length}": {"remedy": remedy, "task": task, "length": length}
                    for length in study.lengths
                }
                for task in study.tasks
            }
            for remedy in study.remedies
        },
    }


def _by_variant(study: ForecastingStudy | TextStudy) -> dict[str, Any]:
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
