"""Writing: from a model that steps through characters to text.

A model is any function `step(ids, state) -> (logits, state)`: it reads one symbol of each text
(B,), int64, and says how likely each symbol is to come next, logits (B, V) that want no gradient.
The prompt is read once; then every symbol that is written is read, one at a time, with the state
carried on.

Everything lies on the CPU. Letters: B texts side by side, T symbols of a prompt, V ids of the
vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from unrolled.text.options import SamplingOptions
from unrolled.text.vocabulary import Ids, Vocabulary, decode, encode_prompt
from unrolled.text.writing import FloatArray, IntArray, pick, tempered

State = TypeVar("State")
Step = Callable[[Tensor, State], tuple[Tensor, State]]

NOTHING = -1
BLOCK = 100  # symbols whose random numbers are drawn together


def restrict(
    logits: FloatArray, options: SamplingOptions, seen: npt.NDArray[np.bool_] | None = None
) -> FloatArray:
    """Logits of the distribution that is drawn from.

    Args:
        logits: (B, V), float64.
        options: each one is skipped at the value that changes nothing.
        seen: (B, V), the symbols of each text so far; for the repetition penalty.

    Returns:
        Logits (B, V): 0 for the likeliest symbol of each text, -inf for what is never drawn.

    Source:
        Keskar et al. (2019), arXiv 1909.05858, section 4.1 (penalty); Fan et al. (2018), ACL
        (top-k); Holtzman et al. (2020), ICLR (top-p); Nguyen et al. (2025), ICLR (min-p).
    """
    scores = tempered(_penalised(logits, options.repetition_penalty, seen), options.temperature)
    if options.top_k is not None and options.top_k < scores.shape[1]:
        last = np.partition(scores, -options.top_k)[:, -options.top_k, None]
        scores = np.where(scores < last, -np.inf, scores)
    if options.top_p < 1:
        order = (-scores).argsort(1, kind="stable")
        p = np.exp(np.take_along_axis(scores, order, 1))
        p /= p.sum(1, keepdims=True)
        above = p.cumsum(1) - p  # of all that are likelier
        dropped = np.empty(scores.shape, np.bool_)
        np.put_along_axis(dropped, order, above >= options.top_p, 1)
        scores = np.where(dropped, -np.inf, scores)
    if options.min_p > 0:
        scores = np.where(scores < math.log(options.min_p), -np.inf, scores)
    return scores


def choose(
    logits: FloatArray,
    options: SamplingOptions,
    chances: FloatArray,
    seen: npt.NDArray[np.bool_] | None = None,
) -> IntArray:
    """Choose the next symbol of each text.

    Args:
        logits: (B, V), float64.
        options: how.
        chances: (B, 1), uniform in [0, 1).
        seen: see `restrict`.

    Returns:
        Places among the V (B,).
    """
    if options.method == "greedy" or options.temperature == 0:
        return _penalised(logits, options.repetition_penalty, seen).argmax(1)
    return pick(restrict(logits, options, seen), chances)


def _chances(texts: int, draws: np.random.Generator) -> Iterator[FloatArray]:
    """Random numbers for ever, each (B, 1); drawn by the block, since a call costs as much as 100."""
    while True:
        yield from draws.random((BLOCK, texts, 1))


def _penalised(
    logits: FloatArray, penalty: float, seen: npt.NDArray[np.bool_] | None
) -> FloatArray:
    if penalty == 1 or seen is None:
        return logits
    # Beyond this a float32 logit is as good as none, or as all others together.
    penalty = min(max(penalty, 1e-100), 1e100)
    return np.where(seen, np.where(logits > 0, logits / penalty, logits * penalty), logits)


def generate(
    step: Step[State],
    state: State,
    prompts: Sequence[Ids],
    length: int,
    options: SamplingOptions,
    draws: np.random.Generator,
    lowest: int = 0,
    stop: int | None = None,
) -> Iterator[Tensor]:
    """Write on from prompts of any lengths, one step for all at a time.

    Args:
        step: the model.
        state: the state of B texts before anything is read.
        prompts: B streams of at least one id each.
        length: symbols to write for each prompt at most.
        options: how each is chosen.
        draws: where chance comes from; the same seed and prompts give the same text.
        lowest: ids below it are never written: they are not among what is chosen from.
        stop: id that ends its text when it is written.

    Yields:
        Ids (B,) of one step; `NOTHING` for a text that is still being read, or has ended.
    """
    sizes = np.array([len(prompt) for prompt in prompts])
    shortest, longest = sizes.min(), sizes.max()
    apart = shortest < longest  # some are still read while others are written
    read = np.zeros((longest, len(prompts)), np.int64)
    for text, prompt in enumerate(prompts):
        read[: len(prompt), text] = prompt
    ended = np.zeros(len(prompts), np.bool_)
    chances = _chances(len(prompts), draws)
    seen = None
    ids = read[0]
    # What changes nothing is left out: it took as long as choosing the symbols.
    for t in range(1, longest + length):
        logits, state = step(torch.from_numpy(ids), state)
        if options.repetition_penalty != 1:
            seen = np.zeros(logits.shape, np.bool_) if seen is None else seen
            seen[np.arange(len(ids)), ids] = True
        if t < shortest:
            ids = read[t]
            continue
        own = logits.numpy()[:, lowest:].astype(np.float64)
        marked = None if seen is None else seen[:, lowest:]
        ids = choose(own, options, next(chances), marked) + lowest
        written = ids
        if apart or stop is not None:
            writing = ~ended & (sizes <= t) & (t < sizes + length)
            if t < longest:
                ids = np.where(sizes > t, read[t], ids)
            written = np.where(writing, ids, NOTHING)
            if stop is not None:
                ended |= written == stop
        yield torch.from_numpy(written)
        if stop is not None and ended.all():
            return


@torch.inference_mode()
def beam_search(
    step: Step[State],
    state: State,
    prompt: Ids,
    length: int,
    width: int,
    select: Callable[[State, Tensor], State],
    lowest: int = 0,
    stop: int | None = None,
) -> list[tuple[list[int], float]]:
    """Look for the likeliest text of a length, keeping the best beginnings at every step.

    Args:
        step: the model.
        state: the state of `width` texts before anything is read.
        prompt: one stream of at least one id.
        length: symbols to write at most.
        width: beginnings that are kept.
        select: the state of the texts of these rows, (width,) int64.
        lowest: ids below it are never written.
        stop: id that ends its text when it is written.

    Returns:
        Up to `width` texts, the likeliest first: ids written, the stop included, and ln p of
        them given the prompt. Nothing makes up for length: a text that has stopped early is
        often the likelier.
    """
    for symbol in prompt.tolist():
        logits, state = step(torch.full((width,), symbol), state)
    size = logits.shape[1] - lowest
    score = torch.full((width,), -torch.inf, dtype=torch.float64)
    score[0] = 0.0  # all rows are the prompt as yet; only one of them counts
    written = torch.zeros(width, 0, dtype=torch.int64)
    ended = torch.zeros(width, dtype=torch.bool)
    for _ in range(length):
        gain = logits[:, lowest:].double().log_softmax(1)
        if stop is not None:  # an ended text goes on as it is
            gain[ended] = -torch.inf
            gain[ended, stop - lowest] = 0.0
        score, place = (score[:, None] + gain).flatten().topk(width)
        rows, ids = place // size, place % size + lowest
        written = torch.cat([written[rows], ids[:, None]], dim=1)
        ended = ended[rows] | (ids == stop)
        if ended.all():
            break
        logits, state = step(ids, select(state, rows))
    return [
        (_until(text, stop), p)
        for text, p in zip(written.tolist(), score.tolist(), strict=True)
        if p > -torch.inf
    ]


def write(
    step: Step[State],
    state: State,
    prompts: Sequence[str],
    vocabulary: Vocabulary,
    length: int,
    options: SamplingOptions,
    draws: np.random.Generator,
) -> list[str]:
    """Write on from each prompt until its document ends, at most `length` characters.

    Returns:
        What is written, without the prompts; never `<unk>`.
    """
    ids = [encode_prompt(prompt, vocabulary) for prompt in prompts]
    steps = generate(step, state, ids, length, options, draws, vocabulary.lowest, vocabulary.eos)
    texts = np.stack([step.numpy() for step in steps], axis=1)
    return [decode(text[text != NOTHING], vocabulary)[0] for text in texts]


def stream(
    step: Step[State],
    state: State,
    prompt: str,
    vocabulary: Vocabulary,
    length: int,
    options: SamplingOptions,
    draws: np.random.Generator,
) -> Iterator[str]:
    """Write as `write` does from one prompt, and yield each character as soon as it is chosen."""
    ids = encode_prompt(prompt, vocabulary)
    return stream_ids(step, state, ids, vocabulary, length, options, draws)


def stream_ids(
    step: Step[State],
    state: State,
    prompt: Ids,
    vocabulary: Vocabulary,
    length: int,
    options: SamplingOptions,
    draws: np.random.Generator,
) -> Iterator[str]:
    """Write as `stream` does, from a prompt that is encoded already."""
    for (symbol,) in generate(
        step, state, [prompt], length, options, draws, vocabulary.lowest, vocabulary.eos
    ):
        if symbol != vocabulary.eos:
            yield vocabulary.characters[int(symbol) - vocabulary.first]


def search(
    step: Step[State],
    state: State,
    prompt: Ids,
    vocabulary: Vocabulary,
    length: int,
    width: int,
    select: Callable[[State, Tensor], State],
) -> list[str]:
    """Look for the likeliest texts as `beam_search` does, and spell them, the likeliest first."""
    found = beam_search(
        step, state, prompt, length, width, select, vocabulary.lowest, vocabulary.eos
    )
    return [decode(np.array(ids, np.int64), vocabulary)[0] for ids, _ in found]


def _until(ids: list[int], stop: int | None) -> list[int]:
    return ids[: ids.index(stop) + 1] if stop in ids else ids
