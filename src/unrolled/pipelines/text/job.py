"""The text job as the project knows it: what it compares on a corpus, and how that is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from unrolled.errors import InputError
from unrolled.recurrent.options import LanguageOptions
from unrolled.study.checks import checked, fields_of, merged, refuse_unknown, refuse_unlisted
from unrolled.study.job import DataSet, Given, Job, Study
from unrolled.study.layout import by_variant
from unrolled.study.names import PARTS, file_name, list_of, refuse_other, seeds_of, variants_of
from unrolled.study.parameters import ANY
from unrolled.text.baselines import BASELINES
from unrolled.text.options import CorpusOptions, SampleOptions
from unrolled.training.options import TextTrainOptions

if TYPE_CHECKING:
    from kedro.pipeline import Node

CORPORA_FOLDER = Path("data/01_raw/corpora")
SECTION = {
    "variants": tuple[str, ...],
    "seeds": tuple[int, ...],
    "baselines": tuple[str, ...],
    "model": LanguageOptions,
    "training": TextTrainOptions,
    "samples": SampleOptions,
}


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


def _read(given: Given) -> TextStudy:
    parameters, asked = given.parameters, given.asked.get("text", {})
    name = file_name(parameters, "corpus")
    section = parameters.get("text", {})
    refuse_unknown(section, SECTION, "text.")
    entries = parameters.get("corpus_options", {})
    raw, where = (
        merged(entries.get("defaults", {}), entries.get(name, {})),
        f"corpus_options.{name}",
    )
    own = {group: raw.pop(group, {}) for group in ("model", "training", "samples")}
    corpus = checked(CorpusOptions, (where, raw), short=given.short["corpus"])
    variant_entries = parameters.get("variant_options", {})
    contenders = {}
    for variant in variants_of(section, variant_entries, (*BASELINES, *PARTS), "text."):
        entry, place = variant_entries[variant], f"variant_options.{variant}"
        what = "a language model"
        refuse_other(entry, LanguageOptions, given.kinds, place, "text.variants", what)
        contenders[variant] = TextContender(
            model=checked(  # `defaults` are those of a forecaster
                LanguageOptions,
                ("text.model", section.get("model", {})),
                (f"{where}.model", own["model"]),
                ("text.model", asked.get("model", {})),
                (place, entry),
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
        refuse_unlisted("text.baselines", baseline, list(BASELINES))
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


def _lay_out(study: TextStudy) -> dict[str, Any]:
    return by_variant(study) | {
        "corpus": study.corpus.model_dump(mode="json"),
        "init_from": study.init_from,
        "samples": study.samples.model_dump(mode="json"),
    }


def _places(study: Study) -> dict[str, str | None]:
    text: TextStudy = study.text
    init_corpus, _, init_variant = (text.init_from or "").partition("/")
    return {
        "corpus": text.name,
        "corpus_source": text.source,
        "init_corpus": init_corpus,
        "init_variant": init_variant,
    }


def _serve() -> list[Node]:
    from unrolled.pipelines.text import service  # here, since it brings the serving room

    return service.steps()


JOB = Job(
    name="text",
    order=20,
    data="corpus",
    data_set=DataSet(CorpusOptions),
    parameters={
        "corpus": str,
        "corpus_options": {
            ANY: fields_of(CorpusOptions)
            | {"model": LanguageOptions, "training": TextTrainOptions, "samples": SampleOptions}
        },
        "variant_options": {ANY: fields_of(LanguageOptions)},
        "text": SECTION,
    },
    read=_read,
    lay_out=_lay_out,
    places=_places,
    trains=True,
    by_default=True,
    serve=_serve,
    results=("leaderboard", "protocol", "champion", "winner"),
)
