"""Parameters that name something: data sets, variants, baselines, seeds."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel

from unrolled.comparison.champion import MEDIAN
from unrolled.errors import InputError, shown
from unrolled.study.checks import LARGEST, refuse_unlisted
from unrolled.study.parameters import ANY

_LONGEST = 100  # bytes of a name that files bear; file systems take 255, with what comes after it
# Beside variants and baselines in the parameters and folders of a job.
PARTS = ("name", "source", "seeds", "rows", "series", "corpus", "samples", "service")


def list_of(parameters: Mapping[str, Any], name: str, where: str = "") -> list[Any]:
    """A parameter that is a list; `--params variants=gru` gives a bare word or a string list."""
    value = parameters.get(name, [])
    name = where + name
    if isinstance(value, str):
        value = [part.strip() for part in value.strip("[]").split(",") if part.strip()]
    if not isinstance(value, list):
        value = [value]
    if not value and not name.endswith("baselines"):
        raise InputError(f"parameter '{name}' is empty; name at least one")
    words = list(map(str, value))
    duplicates = {word for word in words if words.count(word) > 1}
    if duplicates:
        raise InputError(
            f"parameter '{name}' names {', '.join(sorted(duplicates))} twice; name each once"
        )
    return value


def file_name(parameters: Mapping[str, Any], key: str, where: str = "") -> str:
    """The name of a data set or study, which becomes part of file names."""
    name = str(parameters.get(key, ""))
    if not re.fullmatch(r"\w[\w.-]*", name) or len(name.encode()) > _LONGEST:
        path = "" if where else f"; give a path by {key}_options.NAME.path"
        raise InputError(
            f"parameter '{where}{key}' is {shown(name)}; expected a name of letters, digits, '_', '-'"
            f" and '.', since output files bear it{path}"
        )
    return name


def whole_numbers(given: list[Any], name: str, least: int, largest: int) -> tuple[int, ...]:
    """Whole numbers of a list, which may have been typed as text."""
    for number in given:
        written = re.fullmatch(r"0|[1-9][0-9]{0,9}", str(number))
        if not written or not least <= int(written[0]) <= largest:
            raise InputError(
                f"parameter '{name}' lists {shown(number)}; expected whole numbers from {least} to"
                f" {largest}"
            )
    return tuple(map(int, given))


def seeds_of(section: Mapping[str, Any], where: str = "") -> tuple[int, ...]:
    """The seeds of a job."""
    return whole_numbers(list_of(section, "seeds", where), f"{where}seeds", 0, LARGEST - 1)


def variants_of(
    section: Mapping[str, Any], entries: Mapping[str, Any], taken: Collection[str], where: str = ""
) -> list[str]:
    """The variants of a job, whose names are parts of those of files and nodes.

    Args:
        section: holds the parameter.
        entries: of `variant_options`.
        taken: names that the job gives to something else.
        where: path to the section, with a dot at its end.
    """
    found = [str(variant) for variant in list_of(section, "variants", where)]
    for variant in found:
        refuse_unlisted(f"{where}variants", variant, sorted(set(entries) - {"defaults"}))
        why = ""
        if not re.fullmatch(r"\w[\w-]*", variant) or len(variant.encode()) > _LONGEST:
            why = "names are of letters, digits, '_' and '-', since files bear them"
        elif variant.endswith(MEDIAN):
            why = f"names in {MEDIAN} are those of medians over seeds"
        elif variant in taken:
            why = "that is the name of a baseline or of another part of the study"
        if why:
            raise InputError(
                f"parameter '{where}variants' lists {shown(variant)}, but {why}; rename its entry in"
                " variant_options"
            )
    return found


def refuse_other(
    entry: Mapping[str, Any],
    model: type[BaseModel],
    kinds: Mapping[str, Any],
    place: str,
    listed: str,
    what: str,
) -> None:
    """Refuse in a variant's entry what only networks of another job have.

    Args:
        entry: of `variant_options`.
        model: the options of this job's networks.
        kinds: what the parameters of all jobs may hold.
        place: path to the entry.
        listed: the parameter that lists this variant.
        what: this job's networks are.
    """
    for key in entry:
        if key in kinds["variant_options"][ANY] and key not in model.model_fields:
            raise InputError(
                f"parameter '{place}.{key}' is no option of {what}, but {listed} lists this variant;"
                f" leave it out of {listed}, or give the option to an entry of another name"
            )
