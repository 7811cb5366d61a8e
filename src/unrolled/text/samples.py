"""What a language model writes for the report, and how much of it is copied."""

from __future__ import annotations

from typing import Any

import numpy as np

from unrolled.text import novelty, sampling
from unrolled.text.options import CorpusOptions, SampleOptions, SamplingOptions
from unrolled.text.sampling import Step
from unrolled.text.vocabulary import Vocabulary
from unrolled.text.writing import normalised


def write(
    step: Step[Any],
    variant: str,
    documents: list[str],
    own: Vocabulary,
    samples: SampleOptions,
    options: CorpusOptions,
) -> list[dict[str, Any]]:
    """Write on from every prompt at every temperature, and say how much was copied from train.

    Where the corpus has a form, `form_share` is the share of documents that keep it, among those
    that were written from nothing at the same temperature.
    """
    training = "\n".join(documents)
    prompts = [normalised(prompt, **options.reading) for prompt in samples.prompts]
    free = [""] * samples.documents if samples.form is not None else []
    rows = []
    for temperature in samples.temperatures:
        written, freely = (
            sampling.write(
                step,
                None,
                beginnings,
                own,
                samples.length,
                SamplingOptions(temperature=temperature),
                np.random.default_rng(samples.seed),
            )
            if beginnings
            else []
            for beginnings in (prompts, free)
        )
        share = None if samples.form is None else novelty.form_share(freely, samples.form)
        for prompt, found in zip(prompts, written, strict=True):
            rows.append(
                {
                    "variant": variant,
                    "temperature": temperature,
                    "prompt": prompt,
                    "text": found,
                    "longest_copied_run": novelty.longest_copied_run(prompt + found, training),
                    "new_10grams": novelty.new_share(prompt + found, training),
                    "form_share": share,
                }
            )
    return rows
