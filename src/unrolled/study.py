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
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from kedro.config import OmegaConfigLoader
from kedro.framework.project import pipelines
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json
from yaml import YAMLError

from unrolled.comparison.champion import MEDIAN
from unrolled.errors import InputError, shown
from unrolled.gradients.options import REMEDIES, TASK_NAMES, MatrixOptions, TheoryOptions
from unrolled.params import Kind, joined, nested
from unrolled.recurrent.options import LanguageOptions, LayerOptions, ModelOptions
from unrolled.series.baselines import BASELINES
from unrolled.series.monitoring import MonitorOptions
from unrolled.series.options import Columns, SeriesOptions
from unrolled.series.tables import SUFFIXES
from unrolled.text.baselines import BASELINES as OF_TEXTS
from unrolled.text.options import CorpusOptions, SampleOptions, WritingOptions
from unrolled.training.options import TextTrainOptions, TrainOptions

TEXT_BASELINES = list(OF_TEXTS)
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
# How a series is written; a later file may be of another kind, so what was not said may be said then.
WRITTEN = ("sep", "decimal", "thousands", "encoding", "sheet", "date_format", "dayfirst")

# Of whole numbers: beyond it lie seeds that torch does not take, and counts that no memory holds.
_LARGEST = 2**32
_LONGEST = 100  # bytes of a name that files bear; file systems take 255, with what comes after it

Model = TypeVar("Model", bound=BaseModel)
Keys = tuple[int | str, ...]  # of keys inside options


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


def _fields(*models: type[BaseModel]) -> dict[str, Any]:
    return {key: field.annotation for each in models for key, field in each.model_fields.items()}


ANY = "*"  # a name that the user gives
# What the parameters may hold, the options of a mapping by their model or by name.
PARAMETERS: dict[str, Any] = {
    "series": str,
    "variants": tuple[str, ...],
    "seeds": tuple[int, ...],
    "baselines": tuple[str, ...],
    "series_options": {
        ANY: _fields(SeriesOptions) | {"model": ModelOptions, "training": TrainOptions}
    },
    "variant_options": {ANY: _fields(ModelOptions, LanguageOptions) | {"training": TrainOptions}},
    "training": TrainOptions,
    "corpus": str,
    "corpus_options": {
        ANY: _fields(CorpusOptions)
        | {"model": LanguageOptions, "training": TextTrainOptions, "samples": SampleOptions}
    },
    "text": {
        "variants": tuple[str, ...],
        "seeds": tuple[int, ...],
        "baselines": tuple[str, ...],
        "model": LanguageOptions,
        "training": TextTrainOptions,
        "samples": SampleOptions,
    },
    "monitor": MonitorOptions,
    "gradients": {
        "name": str,
        "theory": TheoryOptions,
        "variants": tuple[str, ...],
        "inits": tuple[str, ...],
        "remedies": tuple[str, ...],
        "tasks": tuple[str, ...],
        "lengths": tuple[int, ...],
        "seeds": tuple[int, ...],
        "training": MatrixOptions,
    },
} | _fields(DeployStudy, GenerateStudy)

# Short forms on the command line: `horizon=6` is `series_options.airline.horizon=6`.
SHORT: dict[str, dict[str, tuple[str, ...]]] = {
    "series": {key: ("columns", key) for key in Columns.model_fields}
    | {key: (key,) for key in SeriesOptions.model_fields if key not in PARAMETERS},
    "corpus": {key: (key,) for key in CorpusOptions.model_fields if key not in PARAMETERS},
}


def kind_of(path: tuple[str, ...]) -> Kind:
    """What stands at a path of the parameters as they are typed, short forms too.

    >>> [kind_of(path) for path in (("series",), ("variants", "0"), ("y",), ("model",), ("horizon",))]
    ['text', 'text', 'text', 'optional', 'other']
    """
    here: Any = _fields(Columns, CorpusOptions, SeriesOptions) | PARAMETERS
    for part in path:
        if isinstance(here, type) and issubclass(here, BaseModel):
            here = _fields(here)
        if isinstance(here, dict):
            here = here.get(part, here.get(ANY))
        else:
            here = get_args(here)[0] if get_origin(here) is tuple else None
    choices = get_args(here) if get_origin(here) in (Union, UnionType) else (here,)
    words = [choice for choice in choices if choice is not NoneType]
    if not all(word is str or get_origin(word) is Literal for word in words):
        return "other"
    return "text" if len(words) == len(choices) else "optional"


def _shaped(given: Mapping[str, Any], kinds: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """The parameters, each mapping of options a dictionary; an entry without a value is empty.

    Raises:
        InputError: another value stands where options are.
    """
    found = {}
    for key, value in given.items():
        kind = kinds.get(key, kinds.get(ANY))
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = _fields(kind)
        if isinstance(kind, dict) and value is not None and not isinstance(value, dict):
            raise InputError(
                f"parameter '{where}{key}' is {shown(value)}; expected options, as in {{key: value}}"
            )
        found[str(key)] = (
            _shaped(value or {}, kind, f"{where}{key}.") if isinstance(kind, dict) else value
        )
    return found


# What pydantic calls a type of JSON.
_EXPECTED = {
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "string_type": "expected text; in a file of conf put it in quotes",
    "bool_type": "expected true or false",
    "tuple_type": "expected a list",
    "too_short": "expected at least one",
}


def _checked(
    model: type[Model], *layers: tuple[str, dict[str, Any]], short: Mapping[Keys, str] = {}
) -> Model:
    """Build an option model, or say in a sentence which key is wrong and why.

    Args:
        model: of the options.
        layers: where values stand and the values, later ones first in rank.
        short: the short forms in which options were given, by their path in the model.
    """
    values = _merged(*(layer for _, layer in layers))
    try:
        # As JSON, since there 1 is no text, '1' no number and 1.0 no whole number, but a list a tuple.
        found = model.model_validate_json(
            to_json(values, inf_nan_mode="constants", fallback=str), strict=True
        )
    except ValidationError as error:
        errors = error.errors()
    else:
        for path, number in _numbers(found.model_dump()):
            whole = isinstance(number, int)
            if (whole and abs(number) >= _LARGEST) or not math.isfinite(number):
                expected = f"number below {_LARGEST}" if whole else "finite number"
                raise InputError(
                    f"parameter '{_key(path, layers, short)}' is {shown(number)}; expected a {expected}"
                )
        return found
    first, path = errors[0], _path_of(model, errors[0])
    key = _key(path, layers, short)
    if first["type"] == "extra_forbidden":
        hint = _hint(str(path[-1]), _fields_at(model, path[:-1]))
        raise InputError(f"parameter '{key}' is unknown; {hint}")
    if first["type"] == "missing":
        raise InputError(f"parameter '{key}' is missing; give it in conf/base/parameters")
    messages = [
        _EXPECTED.get(one["type"])
        or one["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
        for one in errors
        if _path_of(model, one) == path
    ]
    message = " or ".join(messages).replace(" or expected", " or")
    if first["type"] == "value_error" and isinstance(first["input"], dict):
        raise InputError(f"parameters under '{key}': {message}")  # the rule names the fields
    raise InputError(f"parameter '{key}' is {shown(first['input'])}; {message}")


def _path_of(model: type[BaseModel], error: Any) -> Keys:  # noqa: ANN401
    """Path of an error inside a model, without pydantic's names for the members of a union."""
    place: Any = model
    path: list[int | str] = []
    for part in error["loc"]:
        fields = (
            _fields(place) if isinstance(place, type) and issubclass(place, BaseModel) else None
        )
        if fields is not None or isinstance(part, int):
            path.append(part)
        place = (fields or {}).get(part)
    return tuple(path)


def _key(
    path: Keys, layers: Sequence[tuple[str, dict[str, Any]]], short: Mapping[Keys, str]
) -> str:
    """The key as the user gave it: in short, or below the last layer that holds it."""
    if path in short:
        return short[path]
    holding = [where for where, layer in layers if path and path[0] in layer]
    where = (holding or [where for where, _ in layers])[-1]
    return ".".join(filter(None, [where, *map(str, path)]))


def _numbers(values: object, *path: int | str) -> Iterator[tuple[Keys, float]]:
    """Every number inside options, by its path."""
    if isinstance(values, dict):
        inside = list(values.items())
    elif isinstance(values, tuple):
        inside = list(enumerate(values))
    else:
        inside = []
        if isinstance(values, int | float):
            yield path, values
    for key, value in inside:
        yield from _numbers(value, *path, key)


def _hint(value: str, known: Iterable[str]) -> str:
    """The known word nearest to a wrong one, or all of them."""
    near = difflib.get_close_matches(value, list(known), n=1)
    return f"did you mean '{near[0]}'?" if near else f"expected one of {', '.join(map(str, known))}"


def _fields_at(model: type[BaseModel], path: Keys) -> list[str]:
    """Names of the fields of the option model that lies at `path` inside `model`."""
    for part in path:
        nested = model.model_fields[str(part)].annotation
        assert isinstance(nested, type)
        assert issubclass(nested, BaseModel)
        model = nested
    return sorted(model.model_fields)


def _known(name: str, value: str, known: list[str]) -> None:
    if value not in known:
        raise InputError(
            f"parameter '{name}' lists {shown(value)}, which is unknown; {_hint(value, known)}"
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
    found: dict[str, Any] = {key: value for key, value in asked.items() if key in PARAMETERS}
    for key, value in asked.items():
        if key in PARAMETERS:
            continue
        kinds = [kind for kind, short in SHORT.items() if key in short]
        if not kinds:
            raise InputError(f"parameter '{key}' is unknown; {_meant(key)}")
        named = [kind for kind in kinds if kind in asked] if len(kinds) > 1 else kinds
        if len(named) != 1:
            full = " or ".join(f"{kind}_options.NAME.{key}" for kind in kinds)
            raise InputError(f"parameter '{key}' may be of a series or of a corpus; say {full}")
        (kind,) = named
        name = str(asked[kind]) if kind in asked else name_of(kind)
        found = joined(found, nested((f"{kind}_options", name, *SHORT[kind][key]), value))
    return found


def _meant(key: str) -> str:
    """What an unknown parameter may mean: the nearest word with its full key, or part of a text.

    >>> _meant("temperature")
    "did you mean 'generate.temperature'?"
    """
    full: dict[str, list[str]] = {}
    for path in _paths(PARAMETERS):
        full.setdefault(path.rpartition(".")[2], []).append(path)
    for word in (*PARAMETERS, *SHORT["series"], *SHORT["corpus"]):
        full[word] = [word]  # which needs no more
    near = difflib.get_close_matches(key, list(full), n=1)
    if near:
        return f"did you mean {' or '.join(map(repr, full[near[0]]))}?"
    return (
        f"those that there are stand in conf/base/parameters; where ',{key}=' is part of a text, give"
        f' that by itself: --set "key=..., {key}=..."'
    )


def _paths(kinds: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """Full keys of all parameters, but those of a single data set, which have short forms."""
    for key, kind in kinds.items():
        path = where + ("NAME" if key == ANY else key)
        own = _fields(kind) if isinstance(kind, type) and issubclass(kind, BaseModel) else kind
        if not isinstance(own, dict):
            yield path
        elif key not in ("series_options", "corpus_options"):
            yield from _paths(own, f"{path}.")


def with_kept(
    parameters: dict[str, Any], asked: Mapping[str, Any], project: Path
) -> dict[str, Any]:
    """The parameters with the options that the data sets were run with, where they are kept.

    Args:
        parameters: the raw parameters of Kedro, runtime parameters merged in.
        asked: the runtime parameters alone, which must not say otherwise, but may say how a file is
            written where that was not said.
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
        except (TypeError, ValueError) as error:
            raise InputError(
                f"file '{path}' cannot be read: {error}; run the pipeline {job} again"
            ) from error
        entries = parameters.get(f"{kind}_options", {})
        said = {
            key: value
            for key, value in asked.get(f"{kind}_options", {}).get(name, {}).items()
            if key in model.model_fields and key not in PLACES
        }
        now = _checked(model, (f"{path}", kept), (f"{kind}_options.{name}", said))
        before = dict(_leaves(_checked(model, (f"{path}", kept)).model_dump(mode="json")))
        for key, value in _leaves(now.model_dump(mode="json")):
            unsaid = (
                kind == "series"
                and key in WRITTEN
                and before[key] == model.model_fields[key].default
            )
            if value != before[key] and not unsaid:
                raise InputError(
                    f"{kind} '{name}' was run with {key} {before[key]!r}, but --params says"
                    f" {value!r}; leave it out, or run kedro run --pipelines={job} with it first"
                )
        places = {key: kept[key] for key in PLACES if key in kept}
        learnt = {key: value for key, value in kept.items() if key not in PLACES}
        entry = _merged(places, entries.get(name, {}), learnt, said)
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
    words = list(map(str, value))
    duplicates = {word for word in words if words.count(word) > 1}
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
    if isinstance(rows, str) and rows and not _there(rows, project):
        place = str(SERIES_FOLDER / rows)
        return parameters | ({"rows": place} if _there(place, project) else {})
    return parameters


def _there(place: str, project: Path) -> bool:
    """Whether there is such a file; a URL or a whole path is taken as it is."""
    try:
        return "://" in place or Path(place).is_absolute() or (project / place).exists()
    except (OSError, ValueError):  # no name that a file may have
        return False


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
    _refuse_unknown(parameters, PARAMETERS, "")
    parameters = _shaped(parameters, PARAMETERS)
    full = _shaped(expanded(asked or {}, lambda kind: str(parameters.get(kind, ""))), PARAMETERS)
    _refuse_idle(full, parameters)
    return Study(
        forecasting=_forecasting(
            parameters, project, full.get("training", {}), _short("series", asked)
        ),
        text=_text(parameters, full.get("text", {}), _short("corpus", asked)),
        deploy=_top(DeployStudy, _rows(parameters, project)),
        monitor=_checked(MonitorOptions, ("monitor", parameters.get("monitor", {}))),
        gradients=_gradients(parameters),
        generate=_top(GenerateStudy, parameters),
    )


def _top(model: type[Model], parameters: dict[str, Any]) -> Model:
    """Options that are parameters by themselves."""
    own = {key: parameters[key] for key in model.model_fields if key in parameters}
    return _checked(model, ("", own))


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


def _refuse_unknown(given: Iterable[str], known: Collection[str], where: str) -> None:
    for key in given:
        if key not in known:
            raise InputError(f"parameter '{where}{key}' is unknown; {_hint(str(key), known)}")


def _name(parameters: dict[str, Any], key: str, where: str = "") -> str:
    """The name of a data set or study, which becomes part of file names."""
    name = str(parameters.get(key, ""))
    if not re.fullmatch(r"\w[\w.-]*", name) or len(name.encode()) > _LONGEST:
        path = "" if where else f"; give a path by {key}_options.NAME.path"
        raise InputError(
            f"parameter '{where}{key}' is {shown(name)}; expected a name of letters, digits, '_', '-'"
            f" and '.', since output files bear it{path}"
        )
    return name


def _whole(given: list[Any], name: str, least: int, largest: int) -> tuple[int, ...]:
    """Whole numbers of a list, which may have been typed as text."""
    for number in given:
        written = re.fullmatch(r"0|[1-9][0-9]{0,9}", str(number))
        if not written or not least <= int(written[0]) <= largest:
            raise InputError(
                f"parameter '{name}' lists {shown(number)}; expected whole numbers from {least} to"
                f" {largest}"
            )
    return tuple(map(int, given))


def _refuse_other(
    entry: Mapping[str, Any], model: type[BaseModel], place: str, listed: str, what: str
) -> None:
    """Refuse in a variant's entry what only networks of another job have."""
    for key in entry:
        if key in PARAMETERS["variant_options"][ANY] and key not in model.model_fields:
            raise InputError(
                f"parameter '{place}.{key}' is no option of {what}, but {listed} lists this variant;"
                f" leave it out of {listed}, or give the option to an entry of another name"
            )


def _seeds(section: dict[str, Any], where: str = "") -> tuple[int, ...]:
    return _whole(_list_of(section, "seeds", where), f"{where}seeds", 0, _LARGEST - 1)


def _variants(
    section: dict[str, Any], entries: Mapping[str, Any], taken: Collection[str], where: str = ""
) -> list[str]:
    """The variants of a job, whose names are parts of those of files and nodes.

    Args:
        section: holds the parameter.
        entries: of `variant_options`.
        taken: names that the job gives to something else.
        where: path to the section, with a dot at its end.
    """
    found = [str(variant) for variant in _list_of(section, "variants", where)]
    for variant in found:
        _known(f"{where}variants", variant, sorted(set(entries) - {"defaults"}))
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


# Beside variants and baselines in the parameters and folders of a job.
_PARTS = ("name", "source", "seeds", "rows", "series", "corpus", "samples", "service")


def _forecasting(
    parameters: dict[str, Any],
    project: Path,
    asked_training: dict[str, Any],
    short: Mapping[Keys, str],
) -> ForecastingStudy:
    name = _name(parameters, "series")
    entries = parameters.get("series_options", {})
    raw, where = (
        _merged(entries.get("defaults", {}), entries.get(name, {})),
        f"series_options.{name}",
    )
    model_by_series, training_by_series = raw.pop("model", {}), raw.pop("training", {})
    series = _checked(SeriesOptions, (where, raw), short=short)

    variant_entries = parameters.get("variant_options", {})
    contenders = {}
    for variant in _variants(parameters, variant_entries, (*BASELINES, *_PARTS)):
        place = f"variant_options.{variant}"
        own_training = variant_entries[variant].get("training", {})
        own = {key: value for key, value in variant_entries[variant].items() if key != "training"}
        _refuse_other(own, ModelOptions, place, "variants", "a forecaster")
        contenders[variant] = Contender(
            model=_checked(
                ModelOptions,
                ("variant_options.defaults", variant_entries.get("defaults", {})),
                (f"{where}.model", model_by_series),
                (place, own),
            ),
            training=_checked(
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
    baselines = tuple(map(str, _list_of(parameters, "baselines")))
    for baseline in baselines:
        _known("baselines", baseline, sorted(BASELINES))
    return ForecastingStudy(
        name=name,
        source=_source(name, series, project),
        series=series,
        contenders=contenders,
        baselines=baselines,
        seeds=_seeds(parameters),
    )


def _text(
    parameters: dict[str, Any], asked: Mapping[str, Any], short: Mapping[Keys, str]
) -> TextStudy:
    name = _name(parameters, "corpus")
    section = parameters.get("text", {})
    _refuse_unknown(section, PARAMETERS["text"], "text.")
    entries = parameters.get("corpus_options", {})
    raw, where = (
        _merged(entries.get("defaults", {}), entries.get(name, {})),
        f"corpus_options.{name}",
    )
    own = {group: raw.pop(group, {}) for group in ("model", "training", "samples")}
    corpus = _checked(CorpusOptions, (where, raw), short=short)
    variant_entries = parameters.get("variant_options", {})
    contenders = {}
    for variant in _variants(section, variant_entries, (*TEXT_BASELINES, *_PARTS), "text."):
        own_entry, place = variant_entries[variant], f"variant_options.{variant}"
        _refuse_other(own_entry, LanguageOptions, place, "text.variants", "a language model")
        contenders[variant] = TextContender(
            model=_checked(  # `defaults` are those of a forecaster
                LanguageOptions,
                ("text.model", section.get("model", {})),
                (f"{where}.model", own["model"]),
                ("text.model", asked.get("model", {})),
                (place, own_entry),
            ),
            training=_checked(
                TextTrainOptions,
                ("text.training", section.get("training", {})),
                (f"{where}.training", own["training"]),
                ("text.training", asked.get("training", {})),
            ),
        )
    baselines = tuple(map(str, _list_of(section, "baselines", "text.")))
    for baseline in baselines:
        _known("text.baselines", baseline, TEXT_BASELINES)
    study = TextStudy(
        name=name,
        source=corpus.path or str(CORPORA_FOLDER / f"{name}.txt"),
        corpus=corpus,
        samples=_checked(
            SampleOptions,
            ("text.samples", section.get("samples", {})),
            (f"{where}.samples", own["samples"]),
            ("text.samples", asked.get("samples", {})),
        ),
        contenders=contenders,
        baselines=baselines,
        seeds=_seeds(section, "text."),
    )
    if study.init_from and study.init_from.partition("/")[0] == name:
        raise InputError(
            f"parameter 'text.training.init_from' is '{study.init_from}', of the very corpus whose"
            " models this run replaces; give the new text a name of its own"
        )
    return study


def _gradients(parameters: dict[str, Any]) -> GradientsStudy:
    section, where = parameters.get("gradients", {}), "gradients."
    _refuse_unknown(section, PARAMETERS["gradients"], where)
    training = _checked(MatrixOptions, (f"{where}training", section.get("training", {})))
    entries = parameters.get("variant_options", {})
    chosen = {
        key: tuple(map(str, _list_of(section, key, where)))
        for key in ("inits", "remedies", "tasks")
    }
    for key, known in (
        ("inits", list(get_args(LayerOptions.model_fields["init"].annotation))),
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
    return GradientsStudy(
        name=_name(section, "name", where),
        theory=_checked(TheoryOptions, (f"{where}theory", section.get("theory", {}))),
        networks={
            variant: {
                init: _layer(entries[variant], init, training.hidden, variant)
                for init in chosen["inits"]
            }
            for variant in _variants(section, entries, (), where)
        },
        remedies=chosen["remedies"],
        tasks=chosen["tasks"],
        lengths=_whole(_list_of(section, "lengths", where), f"{where}lengths", 2, 100_000),
        training=training,
        seeds=_seeds(section, where),
    )


def _layer(entry: dict[str, Any], init: str, hidden: int, variant: str) -> LayerOptions:
    """The recurrent layer of a variant, all that a gradient goes back through; default: its own."""
    own = {key: value for key, value in entry.items() if key in LayerOptions.model_fields}
    options = own | {"hidden": hidden} | ({} if init == "default" else {"init": init})
    return _checked(LayerOptions, (f"variant_options.{variant}", options))


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
        self._files: dict[str, Any] | None = None
        self._study: Study | None = None
        self._parameters: dict[str, Any] | None = None  # Kedro asks five times a run
        self._typed = self.runtime_params or {}
        full = expanded(self._typed, lambda kind: str(self._configured().get(kind, "")))
        self.runtime_params = _shaped(full, PARAMETERS)
        _loader = self

    def _configured(self) -> dict[str, Any]:
        """The parameters as the files of `conf/` give them.

        What is asked for never meets OmegaConf, which would look up `${...}` in a text.
        """
        if self._files is None:
            asked, self.runtime_params = self.runtime_params, {}
            try:
                self._files = super().__getitem__("parameters")
            except (OmegaConfBaseException, YAMLError, ValueError) as error:
                raise InputError(
                    f"the parameters in '{self.conf_source}' cannot be read:"
                    f" {' '.join(str(error).split())}; mend the file"
                ) from error
            finally:
                self.runtime_params = asked
        return self._files

    def _given(self) -> dict[str, Any]:
        """The parameters of the files, and over them what is asked for."""
        return _merged(_shaped(self._configured(), PARAMETERS), self.runtime_params)

    @property
    def study(self) -> Study:
        """The study that the parameters ask for, read once.

        Raises:
            InputError: an unknown key, an impossible value, or a name that cannot be a file's.
        """
        if self._study is None:
            project = Path(self.conf_source).resolve().parent
            parameters = self._given()
            # Kedro tells its registry what was asked for before it makes this loader.
            wanted = getattr(pipelines, "_requested_pipelines", None)
            if wanted and set(wanted) <= READERS:
                parameters = with_kept(parameters, self.runtime_params, project)
            self._study = read(parameters, project, self._typed)
            rows = self._study.deploy.rows
            if rows and "forecast" in (wanted or ()) and not _there(rows, project):
                raise InputError(
                    f"parameter 'rows' is {shown(rows)}, but there is no such file in '{project}' or"
                    f" in '{project / SERIES_FOLDER}'; put it there, or give its whole path"
                )
        return self._study

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Configuration of a kind; the parameters with each node's options in their place."""
        if key != "parameters":
            return dict(super().__getitem__(key))
        if self._parameters is None:
            self._parameters = self._given() | as_parameters(self.study)
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
    found = {
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
    return "./???" if found == "???" else found  # OmegaConf would take it for a missing value
