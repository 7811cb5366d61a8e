"""The parameters, resolved into a study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from unrolled.errors import InputError
from unrolled.gradients.options import REMEDIES, TASK_NAMES, MatrixOptions, TheoryOptions
from unrolled.recurrent.options import LanguageOptions, LayerOptions, ModelOptions
from unrolled.series.baselines import BASELINES
from unrolled.series.monitoring import MonitorOptions
from unrolled.series.options import SeriesOptions
from unrolled.series.tables import SUFFIXES
from unrolled.study.checks import Keys, Model, checked, merged, refuse_unknown, refuse_unlisted
from unrolled.study.kept import DATA_SETS
from unrolled.study.models import (
    Contender,
    DeployStudy,
    ForecastingStudy,
    GenerateStudy,
    GradientsStudy,
    Study,
    TextContender,
    TextStudy,
)
from unrolled.study.names import (
    PARTS,
    file_name,
    list_of,
    refuse_other,
    seeds_of,
    variants_of,
    whole_numbers,
)
from unrolled.study.parameters import PARAMETERS, SHORT, expanded, shaped
from unrolled.text.baselines import BASELINES as OF_TEXTS
from unrolled.text.options import CorpusOptions, SampleOptions
from unrolled.training.options import TextTrainOptions, TrainOptions

TEXT_BASELINES = list(OF_TEXTS)
SERIES_FOLDER = Path("data/01_raw/series")
CORPORA_FOLDER = Path("data/01_raw/corpora")


def read(
    parameters: dict[str, Any], project: Path, asked: Mapping[str, Any] | None = None
) -> Study:
    """Resolve the parameters into a study.

    Args:
        parameters: the raw parameters of Kedro, runtime parameters merged in.
        project: root of the project; relative paths are below it.
        asked: the runtime parameters alone, as they were typed: their `training` and `text` win over an
            entry of a series or corpus, and a sentence about a short form names it so.

    Raises:
        InputError: an unknown key, an impossible value, or a name that cannot be a file's.
    """
    refuse_unknown(parameters, PARAMETERS, "")
    parameters = shaped(parameters, PARAMETERS)
    full = shaped(expanded(asked or {}, lambda kind: str(parameters.get(kind, ""))), PARAMETERS)
    _refuse_idle(full, parameters)
    return Study(
        forecasting=_forecasting(
            parameters, project, full.get("training", {}), _short("series", asked)
        ),
        text=_text(parameters, full.get("text", {}), _short("corpus", asked)),
        deploy=_top(DeployStudy, _rows(parameters, project)),
        monitor=checked(MonitorOptions, ("monitor", parameters.get("monitor", {}))),
        gradients=_gradients(parameters),
        generate=_top(GenerateStudy, parameters),
    )


def _top(model: type[Model], parameters: dict[str, Any]) -> Model:
    """Options that are parameters by themselves."""
    own = {key: parameters[key] for key in model.model_fields if key in parameters}
    return checked(model, ("", own))


def _short(kind: str, asked: Mapping[str, Any] | None) -> dict[Keys, str]:
    """The short forms that were used, by the paths of their options."""
    return {path: key for key, path in SHORT[kind].items() if key in (asked or {})}


def _refuse_idle(asked: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    """Refuse what was asked of a data set that this run does not read, as of a typo in its name."""
    for kind in DATA_SETS:
        name = str(parameters.get(kind, ""))
        for other in asked.get(f"{kind}_options", {}):
            if other not in (name, "defaults"):
                raise InputError(
                    f"parameter '{kind}_options.{other}' is of a {kind} that this run does not read;"
                    f" {kind} is '{name}': name the other by {kind}, or leave its options out"
                )


def _forecasting(
    parameters: dict[str, Any],
    project: Path,
    asked_training: dict[str, Any],
    short: Mapping[Keys, str],
) -> ForecastingStudy:
    name = file_name(parameters, "series")
    entries = parameters.get("series_options", {})
    raw, where = (
        merged(entries.get("defaults", {}), entries.get(name, {})),
        f"series_options.{name}",
    )
    model_by_series, training_by_series = raw.pop("model", {}), raw.pop("training", {})
    series = checked(SeriesOptions, (where, raw), short=short)

    variant_entries = parameters.get("variant_options", {})
    contenders = {}
    for variant in variants_of(parameters, variant_entries, (*BASELINES, *PARTS)):
        place = f"variant_options.{variant}"
        own_training = variant_entries[variant].get("training", {})
        own = {key: value for key, value in variant_entries[variant].items() if key != "training"}
        refuse_other(own, ModelOptions, place, "variants", "a forecaster")
        contenders[variant] = Contender(
            model=checked(
                ModelOptions,
                ("variant_options.defaults", variant_entries.get("defaults", {})),
                (f"{where}.model", model_by_series),
                (place, own),
            ),
            training=checked(
                TrainOptions,
                ("training", parameters.get("training", {})),
                (f"{where}.training", training_by_series),
                (f"{place}.training", own_training),
                ("training", asked_training),
            ),
        )

    losses = {variant: contender.training.loss for variant, contender in contenders.items()}
    if len(set(losses.values())) > 1:
        found = ", ".join(f"{variant} {loss}" for variant, loss in losses.items())
        raise InputError(
            f"variants differ in training.loss ({found}), so their validation losses are on"
            " different scales and cannot choose a champion; give all one loss"
        )
    baselines = tuple(map(str, list_of(parameters, "baselines")))
    for baseline in baselines:
        refuse_unlisted("baselines", baseline, sorted(BASELINES))
    return ForecastingStudy(
        name=name,
        source=_source(name, series, project),
        series=series,
        contenders=contenders,
        baselines=baselines,
        seeds=seeds_of(parameters),
    )


def _text(
    parameters: dict[str, Any], asked: Mapping[str, Any], short: Mapping[Keys, str]
) -> TextStudy:
    name = file_name(parameters, "corpus")
    section = parameters.get("text", {})
    refuse_unknown(section, PARAMETERS["text"], "text.")
    entries = parameters.get("corpus_options", {})
    raw, where = (
        merged(entries.get("defaults", {}), entries.get(name, {})),
        f"corpus_options.{name}",
    )
    own = {group: raw.pop(group, {}) for group in ("model", "training", "samples")}
    corpus = checked(CorpusOptions, (where, raw), short=short)
    variant_entries = parameters.get("variant_options", {})
    contenders = {}
    for variant in variants_of(section, variant_entries, (*TEXT_BASELINES, *PARTS), "text."):
        own_entry, place = variant_entries[variant], f"variant_options.{variant}"
        refuse_other(own_entry, LanguageOptions, place, "text.variants", "a language model")
        contenders[variant] = TextContender(
            model=checked(  # `defaults` are those of a forecaster
                LanguageOptions,
                ("text.model", section.get("model", {})),
                (f"{where}.model", own["model"]),
                ("text.model", asked.get("model", {})),
                (place, own_entry),
            ),
            training=checked(
                TextTrainOptions,
                ("text.training", section.get("training", {})),
                (f"{where}.training", own["training"]),
                ("text.training", asked.get("training", {})),
            ),
        )
    baselines = tuple(map(str, list_of(section, "baselines", "text.")))
    for baseline in baselines:
        refuse_unlisted("text.baselines", baseline, TEXT_BASELINES)
    study = TextStudy(
        name=name,
        source=corpus.path or str(CORPORA_FOLDER / f"{name}.txt"),
        corpus=corpus,
        samples=checked(
            SampleOptions,
            ("text.samples", section.get("samples", {})),
            (f"{where}.samples", own["samples"]),
            ("text.samples", asked.get("samples", {})),
        ),
        contenders=contenders,
        baselines=baselines,
        seeds=seeds_of(section, "text."),
    )
    if study.init_from and study.init_from.partition("/")[0] == name:
        raise InputError(
            f"parameter 'text.training.init_from' is '{study.init_from}', of the very corpus whose"
            " models this run replaces; give the new text a name of its own"
        )
    return study


def _gradients(parameters: dict[str, Any]) -> GradientsStudy:
    section, where = parameters.get("gradients", {}), "gradients."
    refuse_unknown(section, PARAMETERS["gradients"], where)
    training = checked(MatrixOptions, (f"{where}training", section.get("training", {})))
    entries = parameters.get("variant_options", {})
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


def _source(name: str, options: SeriesOptions, project: Path) -> str:
    """Where the raw series lies: its path, or the file or folder of its name."""
    if options.generator:
        return ""
    if options.path:
        return options.path
    suffixes = (*SUFFIXES, "")
    found = [
        str(SERIES_FOLDER / file.name)
        for file in sorted((project / SERIES_FOLDER).glob("*"))
        if file.name.startswith(name) and file.name.removeprefix(name).lower() in suffixes
    ]
    if len(found) > 1:
        raise InputError(
            f"series '{name}': there are {' and '.join(found)}; say which by path={found[0]}, or keep"
            " one"
        )
    return found[0] if found else str(SERIES_FOLDER / f"{name}{SUFFIXES[0]}")


def _rows(parameters: dict[str, Any], project: Path) -> dict[str, Any]:
    """The parameters with `rows` found: from the project's folder, or among the series."""
    rows = parameters.get("rows")
    if isinstance(rows, str) and rows and not is_there(rows, project):
        place = str(SERIES_FOLDER / rows)
        return parameters | ({"rows": place} if is_there(place, project) else {})
    return parameters


def is_there(place: str, project: Path) -> bool:
    """Whether there is such a file; a URL or a whole path is taken as it is."""
    try:
        return "://" in place or Path(place).is_absolute() or (project / place).exists()
    except (OSError, ValueError):  # no name that a file may have
        return False
