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

State = TypeVar("State")
Step = Callable[[Tensor, State], tuple[Tensor, State]]

Chances = npt.NDArray[np.float64]

NOTHING = -1
BLOCK = 100  # symbols whose random numbers are drawn together


def restrict(logits: Tensor, options: SamplingOptions, seen: Tensor | None = None) -> Tensor:
    """Logits of the distribution that is drawn from.

    Args:
        logits: (B, V).
        options: each one is skipped at the value that changes nothing.
        seen: bool (B, V), the symbols of each text so far; for the repetition penalty.

    Returns:
        Logits (B, V), -inf for what is never drawn; each text keeps its likeliest symbol.

    Source:
        Keskar et al. (2019), arXiv 1909.05858, section 4.1 (penalty); Fan et al. (2018), ACL
        (top-k); Holtzman et al. (2020), ICLR (top-p); Nguyen et al. (2025), ICLR (min-p).
    """
    logits = _penalised(logits, options.repetition_penalty, seen)
    if options.temperature != 1:
        logits = logits / options.temperature
    if options.top_k is not None and options.top_k < logits.shape[1]:
        last = logits.topk(options.top_k).values[:, -1:]
        logits = logits.masked_fill(logits < last, -torch.inf)
    if options.top_p < 1:
        falling, order = logits.sort(descending=True)
        p = falling.softmax(1)
        above = p.cumsum(1) - p  # of all that are likelier
        dropped = (above >= options.top_p).scatter(1, order, above >= options.top_p)
        logits = logits.masked_fill(dropped, -torch.inf)
    if options.min_p > 0:
        least = logits.amax(1, keepdim=True) + math.log(options.min_p)
        logits = logits.masked_fill(logits < least, -torch.inf)
    return logits


def choose(
    logits: Tensor, options: SamplingOptions, generator: torch.Generator, seen: Tensor | None = None
) -> Tensor:
    """Choose the next symbol of each text: ids (B,) from logits (B, V); see `restrict`."""
    return torch.from_numpy(_choose(logits, options, _chances(len(logits), generator), seen))


def _choose(
    logits: Tensor, options: SamplingOptions, chances: Iterator[Chances], seen: Tensor | None
) -> npt.NDArray[np.int64]:
    if options.method == "greedy":
        return _penalised(logits, options.repetition_penalty, seen).argmax(1).numpy()
    # One random number a text and its place among the summed probabilities: several times faster
    # than torch.multinomial, which draws one for every symbol; and in numpy, whose calls cost less.
    found = restrict(logits, options, seen).numpy().astype(np.float64)
    up_to = np.exp(found - found.max(1, keepdims=True)).cumsum(1)
    return (up_to > next(chances) * up_to[:, -1:]).argmax(1)


def _chances(texts: int, generator: torch.Generator, block: int = 1) -> Iterator[Chances]:
    """Random numbers for ever, each (B, 1); drawn by the block, since a call costs as much as 100."""
    while True:
        yield from torch.rand(block, texts, 1, generator=generator, dtype=torch.float64).numpy()


def _penalised(logits: Tensor, penalty: float, seen: Tensor | None) -> Tensor:
    if penalty == 1 or seen is None:
        return logits
    return torch.where(seen, torch.where(logits > 0, logits / penalty, logits * penalty), logits)


def generate(
    step: Step[State],
    state: State,
    prompts: Sequence[Ids],
    length: int,
    options: SamplingOptions,
    generator: torch.Generator,
    banned: Sequence[int] = (),
    stop: int | None = None,
) -> Iterator[Tensor]:
    """Write on from prompts of any lengths, one step for all at a time.

    Args:
        step: the model.
        state: the state of B texts before anything is read.
        prompts: B streams of at least one id each.
        length: symbols to write for each prompt at most.
        options: how each is chosen.
        generator: where chance comes from; the same seed and prompts give the same text.
        banned: ids that are never written.
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
    chances = _chances(len(prompts), generator, BLOCK)
    seen = bias = None
    ids = read[0]
    # What changes nothing is left out: it took as long as choosing the symbols.
    for t in range(1, longest + length):
        logits, state = step(torch.from_numpy(ids), state)
        if t == 1:
            bias = _bias(logits, banned) if banned else None
            if options.repetition_penalty != 1:
                seen = torch.zeros_like(logits, dtype=torch.bool)
        if seen is not None:
            seen[np.arange(len(ids)), ids] = True
        if t < shortest:
            ids = read[t]
            continue
        ids = _choose(logits if bias is None else logits + bias, options, chances, seen)
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
    banned: Sequence[int] = (),
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
        banned: ids that are never written.
        stop: id that ends its text when it is written.

    Returns:
        Up to `width` texts, the likeliest first: ids written, the stop included, and ln p of
        them given the prompt. Nothing makes up for length: a text that has stopped early is
        often the likelier.
    """
    for symbol in prompt.tolist():
        logits, state = step(torch.full((width,), symbol), state)
    size = logits.shape[1]
    bias = _bias(logits, banned)
    score = torch.full((width,), -torch.inf)
    score[0] = 0.0  # all rows are the prompt as yet; only one of them counts
    written = torch.zeros(width, 0, dtype=torch.int64)
    ended = torch.zeros(width, dtype=torch.bool)
    for _ in range(length):
        gain = (logits + bias).log_softmax(1)
        if stop is not None:  # an ended text goes on as it is
            gain[ended] = -torch.inf
            gain[ended, stop] = 0.0
        score, place = (score[:, None] + gain).flatten().topk(width)
        rows, ids = place // size, place % size
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
    generator: torch.Generator,
    strict: bool = False,
) -> list[str]:
    """Write on from each prompt until its document ends, at most `length` characters.

    Returns:
        What is written, without the prompts; never `<unk>`.

    Raises:
        InputError: unknown characters in a prompt under `strict`.
    """
    ids = [encode_prompt(prompt, vocabulary, strict) for prompt in prompts]
    steps = generate(
        step, state, ids, length, options, generator, _banned(vocabulary), vocabulary.eos
    )
    texts = np.stack([step.numpy() for step in steps], axis=1)
    return [decode(text[text != NOTHING], vocabulary)[0] for text in texts]


def stream(
    step: Step[State],
    state: State,
    prompt: str,
    vocabulary: Vocabulary,
    length: int,
    options: SamplingOptions,
    generator: torch.Generator,
    strict: bool = False,
) -> Iterator[str]:
    """Write as `write` does from one prompt, and yield each character as soon as it is chosen."""
    ids = encode_prompt(prompt, vocabulary, strict)
    return stream_ids(step, state, ids, vocabulary, length, options, generator)


def stream_ids(
    step: Step[State],
    state: State,
    prompt: Ids,
    vocabulary: Vocabulary,
    length: int,
    options: SamplingOptions,
    generator: torch.Generator,
) -> Iterator[str]:
    """Write as `stream` does, from a prompt that is encoded already."""
    for (symbol,) in generate(
        step, state, [prompt], length, options, generator, _banned(vocabulary), vocabulary.eos
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
        step, state, prompt, length, width, select, _banned(vocabulary), vocabulary.eos
    )
    return [decode(np.array(ids, np.int64), vocabulary)[0] for ids, _ in found]


def _banned(vocabulary: Vocabulary) -> list[int]:
    return [i for i in (vocabulary.unk, vocabulary.bos) if i is not None]


def _bias(logits: Tensor, banned: Sequence[int]) -> Tensor:
    """What is added to logits so that nothing banned is chosen, (V,)."""
    bias = logits.new_zeros(logits.shape[1])
    bias[list(banned)] = -torch.inf
    return bias


def _until(ids: list[int], stop: int | None) -> list[int]:
    return ids[: ids.index(stop) + 1] if stop in ids else ids
