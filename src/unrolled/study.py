"""The study of this run: data sets, variants, baselines and seeds, with every default resolved.

Kedro's registry knows no configuration, yet the graph follows the parameters. So the loader of
configuration resolves them into a `Study`, adds the resolved options under the job's namespace
(where nodes find them as `params:forecasting.gru.model`) and keeps the study for the registry and
for `${study:...}` in the catalog.

What a data set was run with is kept beside its results, and pipelines that only read results take it
from there, so that it is said once.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from kedro.config import OmegaConfigLoader
from kedro.framework.project import pipelines
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from unrolled.comparison.champion import MEDIAN
from unrolled.errors import InputError
from unrolled.gradients.options import REMEDIES, TASK_NAMES, MatrixOptions, TheoryOptions
from unrolled.recurrent.options import LanguageOptions, LayerOptions, ModelOptions
from unrolled.series.baselines import BASELINES
from unrolled.series.monitoring import MonitorOptions
from unrolled.series.options import Columns, SeriesOptions
from unrolled.text import ngrams
from unrolled.text.options import CorpusOptions, SampleOptions, WritingOptions
from unrolled.training.options import TextTrainOptions, TrainOptions

KEYS = (
    "series",
    "variants",
    "seeds",
    "baselines",
    "series_options",
    "variant_options",
    "training",
    "corpus",
    "corpus_options",
    "text",
    "job",
    "rollback",
    "rows",
    "model",
    "monitor",
    "gradients",
    "prompt",
    "length",
    "registered",
    "generate",
)
TEXT_KEYS = ("variants", "seeds", "baselines", "model", "training", "samples")
GRADIENTS_KEYS = (
    "name",
    "theory",
    "variants",
    "inits",
    "remedies",
    "tasks",
    "lengths",
    "seeds",
    "training",
)
SERIES_FOLDER = Path("data/01_raw/series")
CORPORA_FOLDER = Path("data/01_raw/corpora")

# A data set's options, the job that reads them, and where its runs keep them.
DATA_SETS: dict[str, tuple[type[BaseModel], str]] = {
    "series": (SeriesOptions, "forecasting"),
    "corpus": (CorpusOptions, "text"),
}
KEPT = "data/06_models/{job}/{name}/study.json"
READERS = {"deploy", "forecast", "generate", "monitor"}  # pipelines that only read results
# Where rows lie, under which licence and in which unit changes nothing that was learnt from them.
PLACES = ("path", "licence", "unit")

# Short forms on the command line: `horizon=6` is `series_options.airline.horizon=6`.
SHORT: dict[str, dict[str, tuple[str, ...]]] = {
    "series": {key: ("columns", key) for key in Columns.model_fields}
    | {key: (key,) for key in SeriesOptions.model_fields if key not in KEYS},
    "corpus": {key: (key,) for key in CorpusOptions.model_fields if key not in KEYS},
}

Model = TypeVar("Model", bound=BaseModel)


class Contender(BaseModel):
    """One variant, ready to train."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: ModelOptions
    training: TrainOptions


class ForecastingStudy(BaseModel):
    """What this run compares on a series."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="name of the series; every output path holds it")
    source: str = Field(description="file, folder or URL of the raw series; empty where generated")
    series: SeriesOptions
    contenders: dict[str, Contender]
    baselines: tuple[str, ...]
    seeds: tuple[int, ...]

    @property
    def ensembles(self) -> list[str]:
        """Names of the medians over seeds, a row each; of one seed there is none."""
        return [f"{variant}{MEDIAN}" for variant in self.contenders if len(self.seeds) > 1]


class TextContender(BaseModel):
    """One language model, ready to train."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: LanguageOptions
    training: TextTrainOptions


class TextStudy(BaseModel):
    """What this run compares on a corpus."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="name of the corpus; every output path holds it")
    source: str = Field(description="file or URL of the raw text")
    corpus: CorpusOptions
    samples: SampleOptions
    contenders: dict[str, TextContender]
    baselines: tuple[str, ...]
    seeds: tuple[int, ...]

    @property
    def init_from(self) -> str | None:
        """Corpus and variant that all networks go on from."""
        return next(iter(self.contenders.values())).training.init_from


class DeployStudy(BaseModel):
    """What goes into service, and what is then asked; the fields are the parameters' own names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    job: Literal["forecasting", "text"] = Field(description="whose winner is deployed")
    rollback: bool = Field(description="put the version before the champion in front again")
    rows: str | None = Field(description="file of new rows to forecast from; null: the series' own")
    model: str | None = Field(description="row of the leaderboard; null: the winner")


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


class GenerateStudy(BaseModel):
    """What this run writes; the fields are the parameters' own names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str = Field(description="beginning of the text, may be empty")
    length: int = Field(ge=1, description="characters written at most")
    registered: bool = Field(
        description="write with the registered champion; false: with the best model on disk"
    )
    generate: WritingOptions


class Study(BaseModel):
    """What this run compares, job by job."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    forecasting: ForecastingStudy
    text: TextStudy
    deploy: DeployStudy
    monitor: MonitorOptions
    gradients: GradientsStudy
    generate: GenerateStudy


def _checked(model: type[Model], values: dict[str, Any], where: str) -> Model:
    """Build an option model, or say in a sentence which key is wrong and why."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(filter(None, [where, *(str(part) for part in first["loc"])]))
        if first["type"] == "extra_forbidden":
            known = _fields_at(model, first["loc"][:-1])
            hint = _hint(str(first["loc"][-1]), known)
            raise InputError(f"parameter '{key}' is unknown; {hint}") from None
        message = first["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
        if isinstance(first["input"], dict):  # a rule about several fields says all by itself
            raise InputError(f"parameters under '{key}': {message}") from None
        raise InputError(f"parameter '{key}' is {first['input']!r}; {message}") from None


def _hint(value: str, known: Iterable[str]) -> str:
    """The known word nearest to a wrong one, or all of them."""
    near = difflib.get_close_matches(value, list(known), n=1)
    return f"did you mean '{near[0]}'?" if near else f"expected one of {', '.join(known)}"


def _fields_at(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the option model that lies at `path` inside `model`."""
    for part in path:
        nested = model.model_fields[str(part)].annotation
        if not (isinstance(nested, type) and issubclass(nested, BaseModel)):
            return []
        model = nested
    return sorted(model.model_fields)


def _known(name: str, value: str, known: list[str]) -> None:
    if value not in known:
        raise InputError(
            f"parameter '{name}' lists {value!r}, which is unknown; {_hint(value, known)}"
        )


def _merged(*layers: dict[str, Any]) -> dict[str, Any]:
    """Merge dictionaries key by key, later ones first in rank, nested ones inside."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = _merged(result[key], value) if both else value
    return result


def expanded(asked: Mapping[str, Any], name_of: Callable[[str], str]) -> dict[str, Any]:
    """Runtime parameters with their short forms in full.

    Args:
        asked: as `--params` gives them.
        name_of: name of the `series` or `corpus` of the configuration, where `asked` names none.

    >>> expanded({"series": "mine", "ds": "Month", "horizon": 6}, str)
    {'series': 'mine', 'series_options': {'mine': {'columns': {'ds': 'Month'}, 'horizon': 6}}}

    Raises:
        InputError: an unknown key, one that may be of the series or of the corpus, or one that is
            given in full as well.
    """
    found: dict[str, Any] = {key: value for key, value in asked.items() if key in KEYS}
    for key, value in asked.items():
        if key in KEYS:
            continue
        kinds = [kind for kind, short in SHORT.items() if key in short]
        if not kinds:
            known = [*KEYS, *SHORT["series"], *SHORT["corpus"]]
            raise InputError(f"parameter '{key}' is unknown; {_hint(key, dict.fromkeys(known))}")
        named = [kind for kind in kinds if kind in asked] if len(kinds) > 1 else kinds
        if len(named) != 1:
            full = " or ".join(f"{kind}_options.NAME.{key}" for kind in kinds)
            raise InputError(f"parameter '{key}' may be of a series or of a corpus; say {full}")
        (kind,) = named
        name = str(asked[kind]) if kind in asked else name_of(kind)
        for part in reversed((f"{kind}_options", name, *SHORT[kind][key])):
            value = {part: value}
        found = _joined(found, value)
    return found


def _joined(one: dict[str, Any], other: dict[str, Any], where: str = "") -> dict[str, Any]:
    """Both dictionaries in one; a value that both give is refused."""
    result = dict(one)
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = _joined(result[key], value, f"{where}{key}.")
        elif key in result:
            raise InputError(
                f"--params gives '{where}{key}' twice, as {result[key]!r} and as {value!r}; keep one"
            )
        else:
            result[key] = value
    return result


def with_kept(
    parameters: dict[str, Any], asked: Mapping[str, Any], project: Path
) -> dict[str, Any]:
    """The parameters with the options that the data sets were run with, where they are kept.

    Args:
        parameters: the raw parameters of Kedro, runtime parameters merged in.
        asked: the runtime parameters alone, which must not say otherwise.
        project: root of the project.

    Raises:
        InputError: `asked` says otherwise, or what is kept cannot be read.
    """
    for kind, (model, job) in DATA_SETS.items():
        name = _name(parameters, kind)
        path = project / KEPT.format(job=job, name=name)
        if not path.exists():
            continue
        try:
            kept = dict(json.loads(path.read_bytes()))
        except ValueError as error:
            raise InputError(
                f"file '{path}' cannot be read: {error}; run the pipeline {job} again"
            ) from error
        entries = parameters.get(f"{kind}_options", {})
        said = {
            key: value
            for key, value in asked.get(f"{kind}_options", {}).get(name, {}).items()
            if key in model.model_fields and key not in PLACES
        }
        now = _checked(model, _merged(kept, said), f"{kind}_options.{name}")
        before = dict(_leaves(_checked(model, kept, f"{path}").model_dump(mode="json")))
        for key, value in _leaves(now.model_dump(mode="json")):
            if value != before[key]:
                raise InputError(
                    f"{kind} '{name}' was run with {key} {before[key]!r}, but --params says"
                    f" {value!r}; leave it out, or run kedro run --pipelines={job} with it first"
                )
        places = {key: kept[key] for key in PLACES if key in kept}
        learnt = {key: value for key, value in kept.items() if key not in PLACES}
        entry = _merged(places, entries.get(name, {}), learnt)
        parameters = _merged(parameters, {f"{kind}_options": {name: entry}})
    return parameters


def _leaves(values: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, Any]]:
    """Values of a nested dictionary, by their paths."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{where}{key}.")
        else:
            yield f"{where}{key}", value


def _list_of(parameters: dict[str, Any], name: str, where: str = "") -> list[Any]:
    """A parameter that is a list; `--params variants=gru` gives a bare word or a string list."""
    value = parameters.get(name, [])
    name = where + name
    if isinstance(value, str):
        value = [part.strip() for part in value.strip("[]").split(",") if part.strip()]
    if not isinstance(value, list):
        value = [value]
    if not value and not name.endswith("baselines"):
        raise InputError(f"parameter '{name}' is empty; name at least one")
    duplicates = {str(item) for item in value if value.count(item) > 1}
    if duplicates:
        raise InputError(
            f"parameter '{name}' names {', '.join(sorted(duplicates))} twice; name each once"
        )
    return value


def _source(name: str, options: SeriesOptions, project: Path) -> str:
    """Where the raw series lies: its path, or the file or folder of its name."""
    if options.generator:
        return ""
    if options.path:
        return options.path
    for candidate in (f"{name}.csv", f"{name}.parquet", name):
        if (project / SERIES_FOLDER / candidate).exists():
            return str(SERIES_FOLDER / candidate)
    return str(SERIES_FOLDER / f"{name}.csv")


def read(
    parameters: dict[str, Any], project: Path, asked: Mapping[str, Any] | None = None
) -> Study:
    """Resolve the parameters into a study.

    Args:
        parameters: the raw parameters of Kedro, runtime parameters merged in.
        project: root of the project; relative paths are below it.
        asked: the runtime parameters alone: their `training` wins over an entry of a series.

    Raises:
        InputError: an unknown key, an impossible value, or a name that cannot be a file's.
    """
    _refuse_unknown(parameters, KEYS, "")
    asked = asked or {}
    return Study(
        forecasting=_forecasting(parameters, project, asked.get("training", {})),
        text=_text(parameters, asked.get("text", {}).get("training", {})),
        deploy=_checked(
            DeployStudy,
            {key: parameters[key] for key in DeployStudy.model_fields if key in parameters},
            "",
        ),
        monitor=_checked(MonitorOptions, parameters.get("monitor", {}), "monitor"),
        gradients=_gradients(parameters),
        generate=_checked(
            GenerateStudy,
            {key: parameters[key] for key in GenerateStudy.model_fields if key in parameters},
            "",
        ),
    )


def _refuse_unknown(given: Iterable[str], known: Sequence[str], where: str) -> None:
    for key in given:
        if key not in known:
            raise InputError(f"parameter '{where}{key}' is unknown; {_hint(str(key), known)}")


def _name(parameters: dict[str, Any], key: str, where: str = "") -> str:
    """The name of a data set or study, which becomes part of file names."""
    name = str(parameters.get(key, ""))
    if not re.fullmatch(r"\w[\w.-]*", name):
        path = "" if where else f"; give a path by {key}_options.NAME.path"
        raise InputError(
            f"parameter '{where}{key}' is {name!r}; expected a name of letters, digits, '_', '-'"
            f" and '.', since output files bear it{path}"
        )
    return name


def _seeds(given: list[Any], name: str) -> tuple[int, ...]:
    for seed in given:
        if not str(seed).isdigit() or int(seed) >= 2**32:
            raise InputError(
                f"parameter '{name}' lists {seed!r}; expected whole numbers from 0"
                + (" to 4294967295" if str(seed).isdigit() else "")
            )
    return tuple(map(int, given))


def _forecasting(
    parameters: dict[str, Any], project: Path, asked_training: Mapping[str, Any]
) -> ForecastingStudy:
    name = _name(parameters, "series")
    entries = parameters.get("series_options", {})
    raw = _merged(entries.get("defaults", {}), entries.get(name, {}))
    model_by_series, training_by_series = raw.pop("model", {}), raw.pop("training", {})
    series = _checked(SeriesOptions, raw, f"series_options.{name}")

    variant_entries = parameters.get("variant_options", {})
    known = sorted(set(variant_entries) - {"defaults"})
    contenders = {}
    for variant in map(str, _list_of(parameters, "variants")):
        _known("variants", variant, known)
        if variant.endswith(MEDIAN):
            raise InputError(
                f"parameter 'variants' lists '{variant}', but names in {MEDIAN} are those of medians over"
                " seeds; rename its entry in variant_options"
            )
        model = _merged(
            variant_entries.get("defaults", {}), model_by_series, variant_entries[variant] or {}
        )
        training = _merged(
            parameters.get("training", {}),
            training_by_series,
            model.pop("training", {}),
            dict(asked_training),
        )
        contenders[variant] = Contender(
            model=_checked(ModelOptions, model, f"variant_options.{variant}"),
            training=_checked(TrainOptions, training, "training"),
        )

    losses = {variant: contender.training.loss for variant, contender in contenders.items()}
    if len(set(losses.values())) > 1:
        found = ", ".join(f"{variant} {loss}" for variant, loss in losses.items())
        raise InputError(
            f"variants differ in training.loss ({found}), so their validation losses are on"
            " different scales and cannot choose a champion; give all one loss"
        )
    baselines = tuple(map(str, _list_of(parameters, "baselines")))
    for baseline in baselines:
        _known("baselines", baseline, sorted(BASELINES))
    return ForecastingStudy(
        name=name,
        source=_source(name, series, project),
        series=series,
        contenders=contenders,
        baselines=baselines,
        seeds=_seeds(_list_of(parameters, "seeds"), "seeds"),
    )


def _text(parameters: dict[str, Any], asked_training: Mapping[str, Any]) -> TextStudy:
    name = _name(parameters, "corpus")
    section = parameters.get("text", {})
    _refuse_unknown(section, TEXT_KEYS, "text.")
    entries = parameters.get("corpus_options", {})
    raw = _merged(entries.get("defaults", {}), entries.get(name, {}))
    own = {group: raw.pop(group, {}) for group in ("model", "training", "samples")}
    corpus = _checked(CorpusOptions, raw, f"corpus_options.{name}")
    variant_entries = parameters.get("variant_options", {})
    known = sorted(set(variant_entries) - {"defaults"})
    training = _merged(section.get("training", {}), own["training"], dict(asked_training))
    contenders = {}
    for variant in map(str, _list_of(section, "variants", "text.")):
        _known("text.variants", variant, known)
        # `defaults` are those of a forecaster.
        model = _merged(section.get("model", {}), own["model"], variant_entries[variant] or {})
        contenders[variant] = TextContender(
            model=_checked(LanguageOptions, model, f"variant_options.{variant}"),
            training=_checked(TextTrainOptions, training, "text.training"),
        )
    baselines = tuple(map(str, _list_of(section, "baselines", "text.")))
    for baseline in baselines:
        _known("text.baselines", baseline, [*ngrams.BASELINES, "xz"])
    samples = _merged(section.get("samples", {}), own["samples"])
    study = TextStudy(
        name=name,
        source=corpus.path or str(CORPORA_FOLDER / f"{name}.txt"),
        corpus=corpus,
        samples=_checked(SampleOptions, samples, "text.samples"),
        contenders=contenders,
        baselines=baselines,
        seeds=_seeds(_list_of(section, "seeds", "text."), "text.seeds"),
    )
    if study.init_from and study.init_from.partition("/")[0] == name:
        raise InputError(
            f"parameter 'text.training.init_from' is '{study.init_from}', of the very corpus whose"
            " models this run replaces; give the new text a name of its own"
        )
    return study


def _gradients(parameters: dict[str, Any]) -> GradientsStudy:
    section, where = parameters.get("gradients", {}), "gradients."
    _refuse_unknown(section, GRADIENTS_KEYS, where)
    training = _checked(MatrixOptions, section.get("training", {}), f"{where}training")
    entries = parameters.get("variant_options", {})
    chosen = {
        key: tuple(map(str, _list_of(section, key, where)))
        for key in ("variants", "inits", "remedies", "tasks")
    }
    for key, known in (
        ("variants", sorted(set(entries) - {"defaults"})),
        ("remedies", list(REMEDIES)),
        ("tasks", list(TASK_NAMES)),
    ):
        for value in chosen[key]:
            _known(f"{where}{key}", value, known)
    for remedy in chosen["remedies"]:
        base = REMEDIES[remedy].base
        if base not in chosen["remedies"]:
            raise InputError(
                f"parameter 'gradients.remedies' lists '{remedy}' without '{base}', the network"
                f" that it is compared with; add '{base}'"
            )
    lengths = _list_of(section, "lengths", where)
    for length in lengths:
        if not (str(length).isdigit() and int(length) > 1):
            raise InputError(
                f"parameter 'gradients.lengths' lists {length!r}; expected whole numbers from 2"
            )
    return GradientsStudy(
        name=_name(section, "name", where),
        theory=_checked(TheoryOptions, section.get("theory", {}), f"{where}theory"),
        networks={
            variant: {
                init: _layer(entries[variant] or {}, init, training.hidden, variant)
                for init in chosen["inits"]
            }
            for variant in chosen["variants"]
        },
        remedies=chosen["remedies"],
        tasks=chosen["tasks"],
        lengths=tuple(map(int, lengths)),
        training=training,
        seeds=_seeds(_list_of(section, "seeds", where), "gradients.seeds"),
    )


def _layer(entry: dict[str, Any], init: str, hidden: int, variant: str) -> LayerOptions:
    """The recurrent layer of a variant, all that a gradient goes back through; default: its own."""
    own = {key: value for key, value in entry.items() if key in LayerOptions.model_fields}
    options = own | {"hidden": hidden} | ({} if init == "default" else {"init": init})
    return _checked(LayerOptions, options, f"variant_options.{variant}")


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


class StudyConfigLoader(OmegaConfigLoader):
    """Kedro's loader of `conf/`, whose parameters hold the resolved options of the study as well.

    Kedro makes one for each session, with the environment and `--params` of the run, before it asks
    the registry for pipelines. It is better placed than a hook, since kedro-viz runs no hooks.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take Kedro's arguments, and become the loader that the registry asks."""
        global _loader
        super().__init__(*args, **kwargs)
        self.runtime_params = expanded(self.runtime_params or {}, self._configured)
        self._study: Study | None = None
        self._parameters: dict[str, Any] | None = None  # Kedro asks five times a run
        _loader = self

    def _configured(self, key: str) -> str:
        """A parameter as the files of `conf/` give it."""
        asked, self.runtime_params = self.runtime_params, {}
        try:
            return str(super().__getitem__("parameters").get(key, ""))
        finally:
            self.runtime_params = asked

    @property
    def study(self) -> Study:
        """The study that the parameters ask for, read once.

        Raises:
            InputError: an unknown key, an impossible value, or a name that cannot be a file's.
        """
        if self._study is None:
            project = Path(self.conf_source).resolve().parent
            parameters = super().__getitem__("parameters")
            # Kedro tells its registry what was asked for before it makes this loader.
            wanted = getattr(pipelines, "_requested_pipelines", None)
            if wanted and set(wanted) <= READERS:
                parameters = with_kept(parameters, self.runtime_params, project)
            self._study = read(parameters, project, self.runtime_params)
        return self._study

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Configuration of a kind; the parameters with each node's options in their place."""
        if key != "parameters":
            return dict(super().__getitem__(key))
        if self._parameters is None:
            self._parameters = super().__getitem__(key) | as_parameters(self.study)
        return dict(self._parameters)


_loader: StudyConfigLoader | None = None


def current() -> Study:
    """The study of the session made last, or that of the base parameters where none was made."""
    if _loader is None:  # `kedro registry list` makes no session
        return StudyConfigLoader("conf", base_env="base", default_run_env="base").study
    return _loader.study


def resolve(key: str) -> str | None:
    """Value of `${study:series}`, `${study:corpus}` (names) and of their sources in the catalog."""
    study = current()
    series, text = study.forecasting, study.text
    init_corpus, _, init_variant = (text.init_from or "").partition("/")
    made = f"data/03_primary/forecasting/{series.name}/panel.parquet"  # of a generated series
    return {
        "gradients": study.gradients.name,
        "series": series.name,
        "series_source": series.source,
        "rows": study.deploy.rows or series.source or made,
        "model": study.deploy.model,
        "corpus": text.name,
        "corpus_source": text.source,
        "init_corpus": init_corpus,
        "init_variant": init_variant,
    }[key]
