"""The gradients job as the project knows it: what it measures, and how that is read."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field

from unrolled.errors import InputError
from unrolled.gradients.options import REMEDIES, TASK_NAMES, MatrixOptions, TheoryOptions
from unrolled.recurrent.options import LayerOptions
from unrolled.study.checks import checked, refuse_unknown, refuse_unlisted
from unrolled.study.job import Given, Job, Study
from unrolled.study.names import file_name, list_of, seeds_of, variants_of, whole_numbers

SECTION = {
    "name": str,
    "theory": TheoryOptions,
    "variants": tuple[str, ...],
    "inits": tuple[str, ...],
    "remedies": tuple[str, ...],
    "tasks": tuple[str, ...],
    "lengths": tuple[int, ...],
    "seeds": tuple[int, ...],
    "training": MatrixOptions,
}


class GradientsStudy(BaseModel):
    """What this run measures of gradients."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="folder of the outputs, so that a larger study has its own")
    theory: TheoryOptions
    networks: dict[str, dict[str, LayerOptions]] = Field(
        description="by variant and init; default is the variant's own"
    )
    remedies: tuple[str, ...]
    tasks: tuple[str, ...]
    lengths: tuple[int, ...] = Field(description="T of the tasks, steps")
    training: MatrixOptions
    seeds: tuple[int, ...]


def _read(given: Given) -> GradientsStudy:
    section, where = given.parameters.get("gradients", {}), "gradients."
    refuse_unknown(section, SECTION, where)
    training = checked(MatrixOptions, (f"{where}training", section.get("training", {})))
    entries = given.parameters.get("variant_options", {})
    chosen = {
        key: tuple(map(str, list_of(section, key, where))) for key in ("inits", "remedies", "tasks")
    }
    for key, known in (
        ("inits", list(get_args(LayerOptions.model_fields["init"].annotation))),
        ("remedies", list(REMEDIES)),
        ("tasks", list(TASK_NAMES)),
    ):
        for value in chosen[key]:
            refuse_unlisted(f"{where}{key}", value, known)
    for remedy in chosen["remedies"]:
        base = REMEDIES[remedy].base
        if base not in chosen["remedies"]:
            raise InputError(
                f"parameter 'gradients.remedies' lists '{remedy}' without '{base}', the network"
                f" that it is compared with; add '{base}'"
            )
    return GradientsStudy(
        name=file_name(section, "name", where),
        theory=checked(TheoryOptions, (f"{where}theory", section.get("theory", {}))),
        networks={
            variant: {
                init: _layer(entries[variant], init, training.hidden, variant)
                for init in chosen["inits"]
            }
            for variant in variants_of(section, entries, (), where)
        },
        remedies=chosen["remedies"],
        tasks=chosen["tasks"],
        lengths=whole_numbers(list_of(section, "lengths", where), f"{where}lengths", 2, 100_000),
        training=training,
        seeds=seeds_of(section, where),
    )


def _layer(entry: dict[str, Any], init: str, hidden: int, variant: str) -> LayerOptions:
    """The recurrent layer of a variant, all that a gradient goes back through; default: its own."""
    own = {key: value for key, value in entry.items() if key in LayerOptions.model_fields}
    options = own | {"hidden": hidden} | ({} if init == "default" else {"init": init})
    return checked(LayerOptions, (f"variant_options.{variant}", options))


def _lay_out(study: GradientsStudy) -> dict[str, Any]:
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


def _places(study: Study) -> dict[str, str | None]:
    return {"gradients": study.gradients.name}


JOB = Job(
    name="gradients",
    order=40,
    parameters={"gradients": SECTION},
    read=_read,
    lay_out=_lay_out,
    places=_places,
    trains=True,
    by_default=True,
    results=("summary", "protocol"),
    tags={"networks": ("variant", "init"), "matrix": ("remedy", "task", "length")},
    runs="networks and batches",
)
