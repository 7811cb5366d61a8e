import functools
import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from unrolled.text import sampling, vocabulary, writing
from unrolled.text.options import SampleOptions, SamplingOptions

V = 7
# Distinct, so that no order depends on ties, and apart by more than rounding.
logit_rows = st.lists(st.permutations([i * 0.37 - 1.0 for i in range(V)]), min_size=1, max_size=3)


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def found(rows, seen=None, **options):
    scores = sampling.restrict(np.array(rows), SamplingOptions(**options), seen)
    assert (scores.max(1) == 0).all()
    return np.array([softmax(row) for row in scores])


@given(logit_rows, st.floats(0.1, 5))
def test_temperature_divides_the_logits(rows, temperature):
    expected = [softmax(np.array(row) / temperature) for row in rows]
    np.testing.assert_allclose(found(rows, temperature=temperature), expected)


@given(logit_rows, st.integers(1, V + 3))
def test_top_k_keeps_the_k_likeliest(rows, k):
    for row, p in zip(rows, found(rows, top_k=k), strict=True):
        kept = sorted(range(V), key=lambda i: -row[i])[:k]
        expected = np.zeros(V)
        expected[kept] = softmax(np.array(row)[kept])
        np.testing.assert_allclose(p, expected)


@given(logit_rows, st.floats(0.01, 1))
def test_top_p_keeps_the_fewest_likeliest_that_reach_p(rows, top_p):
    for row, p in zip(rows, found(rows, top_p=top_p), strict=True):
        plain = softmax(np.array(row))
        kept, total = [], 0.0
        for i in sorted(range(V), key=lambda i: -row[i]):
            if total >= top_p:
                break
            kept.append(i)
            total += plain[i]
        expected = np.zeros(V)
        expected[kept] = softmax(np.array(row)[kept])
        np.testing.assert_allclose(p, expected)


@given(logit_rows, st.floats(0, 1))
def test_min_p_keeps_what_is_likely_beside_the_likeliest(rows, min_p):
    for row, p in zip(rows, found(rows, min_p=min_p), strict=True):
        plain = softmax(np.array(row))
        expected = np.where(plain >= min_p * plain.max() * (1 - 1e-12), plain, 0)
        np.testing.assert_allclose(p, expected / expected.sum())


@given(logit_rows, st.floats(0.5, 3), st.lists(st.booleans(), min_size=V, max_size=V))
def test_the_repetition_penalty_falls_on_what_was_seen(rows, penalty, marks):
    seen = np.array([marks] * len(rows))
    for row, p in zip(rows, found(rows, seen, repetition_penalty=penalty), strict=True):
        changed = [
            (x / penalty if x > 0 else x * penalty) if mark else x
            for x, mark in zip(row, marks, strict=True)
        ]
        np.testing.assert_allclose(p, softmax(np.array(changed)))


@given(logit_rows, st.floats(0.3, 3), st.integers(1, V), st.floats(0.1, 1), st.floats(0, 1))
def test_samplers_apply_one_after_another(rows, temperature, top_k, top_p, min_p):
    step = np.array(rows)
    for options in (
        {"temperature": temperature}, {"top_k": top_k}, {"top_p": top_p}, {"min_p": min_p},
    ):  # fmt: skip
        step = sampling.restrict(step, SamplingOptions(**options))
    together = found(rows, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    np.testing.assert_allclose(together, [softmax(row) for row in step])


def test_draws_follow_the_distribution():
    row = np.tile([0.0, 1.0, 2.0, -1.0], (40_000, 1))
    ids = sampling.choose(row, SamplingOptions(top_k=3), seeded().random((len(row), 1)))
    share = np.bincount(ids, minlength=4) / len(row)
    np.testing.assert_allclose(share, found([[0.0, 1.0, 2.0, -1.0]], top_k=3)[0], atol=0.01)


@pytest.mark.parametrize("options", [{"method": "greedy", "temperature": 9.0}, {"temperature": 0}])
@given(logit_rows)
def test_greedy_takes_the_likeliest_and_so_does_temperature_0(options, rows):
    ids = sampling.choose(np.array(rows), SamplingOptions(**options), np.full((len(rows), 1), 0.9))
    assert ids.tolist() == [int(np.argmax(row)) for row in rows]


# A network's numbers, none so near another that float32 takes them for the same.
logits = st.lists(
    st.integers(-(10**4), 10**4).map(lambda i: i / 128), min_size=2, max_size=V, unique=True
)
LEAST, MOST = 5e-324, 1.7e308


@given(logits, st.sampled_from([LEAST, 1e-60, 1e-40]), st.floats(0, 1, exclude_max=True))
def test_a_share_or_temperature_of_almost_nothing_takes_the_likeliest(row, tiny, chance):
    for options in ({"temperature": tiny}, {"top_p": tiny}, {"top_k": 1}, {"min_p": 1.0}):
        ids = sampling.choose(np.array([row]), SamplingOptions(**options), np.array([[chance]]))
        assert ids.tolist() == [int(np.argmax(row))]


@given(logits, st.sampled_from([1e40, 1e300, MOST]))
def test_an_endless_temperature_makes_all_alike(row, temperature):
    np.testing.assert_allclose(found([row], temperature=temperature), 1 / len(row))


@given(logits, st.data())
def test_an_extreme_penalty_leaves_or_forbids_what_was_seen(row, data):
    marks = np.array(data.draw(st.lists(st.booleans(), min_size=len(row), max_size=len(row))))
    own = np.array(row)
    for penalty in (LEAST, 1e-60):  # of what was seen the highest above zero takes all
        highest = int(np.where(marks & (own > 0), own, -np.inf).argmax())
        if marks[highest] and own[highest] > 0:
            p = found([row], marks[None], repetition_penalty=penalty)[0]
            assert p[highest] == 1
    for penalty in (1e60, MOST):  # seen: none below zero, zero above it
        limit = np.where(marks, np.where(own < 0, -np.inf, 0), own)
        p = found([row], marks[None], repetition_penalty=penalty)[0]
        if np.isfinite(limit).any():
            np.testing.assert_allclose(p, softmax(limit), atol=1e-12)
        assert np.isfinite(p).all()


@given(
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=9),
    st.floats(0, MOST, allow_nan=False),
    st.floats(LEAST, 1),
    st.floats(0, 1),
    st.integers(1, 9),
    st.floats(LEAST, MOST),
    st.one_of(st.just(1 - 2**-53), st.floats(0, 1, exclude_max=True)),
    st.data(),
)
def test_what_is_chosen_is_always_possible(
    row, temperature, top_p, min_p, top_k, penalty, chance, data
):
    options = SamplingOptions(
        temperature=temperature, top_p=top_p, min_p=min_p, top_k=top_k, repetition_penalty=penalty
    )
    marks = data.draw(st.lists(st.booleans(), min_size=len(row), max_size=len(row)))
    seen, logits = np.array([marks]), np.array([row])
    scores = sampling.restrict(logits, options, seen)
    assert scores.max() == 0
    (symbol,) = sampling.choose(logits, options, np.array([[chance]]), seen)
    assert np.exp(scores[0, symbol]) > 0


@given(st.lists(st.floats(-50, 0), min_size=1, max_size=9))
def test_the_highest_random_number_still_has_a_place(row):
    scores = np.array([[*row, 0.0, -np.inf]])
    assert writing.pick(scores, np.array([[1 - 2**-53]])) <= len(row)
    assert writing.pick(scores, np.array([[0.0]])) == 0


@pytest.mark.parametrize("options", [{"prompts": []}, {"temperatures": []}])
def test_samples_want_something_to_write(options):
    with pytest.raises(ValidationError) as error:
        SampleOptions(**options)
    assert error.value.errors()[0]["type"] == "too_short"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"temperature": value},
            "expected a number from 0, which takes the likeliest character every time",
        )
        for value in (-1.0, math.nan, math.inf)
    ]
    + [
        ({"top_p": value}, "expected a number above 0 and at most 1, where 1 keeps all")
        for value in (0, 1.1, math.nan)
    ],
)
def test_options_of_sampling_are_checked(options, message):
    with pytest.raises(ValidationError) as error:
        SamplingOptions(**options)
    assert error.value.errors()[0]["msg"] == f"Value error, {message}"


KNOWN = vocabulary.build(["abcdefg", "gfedcb", "ab"], boundaries=True)
LINEAR = torch.randn(2, KNOWN.size, KNOWN.size, generator=torch.Generator().manual_seed(0))


def step(ids, state):
    """A toy: the state (B, V) remembers all that was read, the logits follow from it."""
    state = 0.7 * state + LINEAR[0][ids]
    return state @ LINEAR[1] * 0.3, state


def start(batch):
    return torch.zeros(batch, KNOWN.size)


def seeded(seed=0):
    return np.random.default_rng(seed)


def ids_of(*prompts):
    return [vocabulary.encode_prompt(prompt, KNOWN) for prompt in prompts]


def chosen(prompts, length=12, seed=0, lowest=0, stop=None, **options):
    steps = sampling.generate(
        step, start(len(prompts)), ids_of(*prompts), length, SamplingOptions(**options),
        seeded(seed), lowest, stop,
    )  # fmt: skip
    return torch.stack(list(steps), dim=1).tolist()


def test_greedy_text_is_that_of_reading_everything_again():
    """Prime once, then carry: the same as feeding the whole text anew for each character."""
    (text,) = chosen(["abc"], method="greedy")
    read = ids_of("abc")[0].tolist()
    for symbol in text:
        state = start(1)
        for i in read:
            logits, state = step(torch.tensor([i]), state)
        assert symbol == int(logits.argmax())
        read.append(symbol)


def test_the_prompt_is_read_once_and_each_character_once():
    calls = []

    def counting(ids, state):
        calls.append(ids.tolist())
        return step(ids, state)

    (prompt,) = ids_of("abc")
    steps = sampling.generate(counting, start(1), [prompt], 5, SamplingOptions(), seeded())
    written = [int(ids) for ids in steps]
    assert [i for (i,) in calls] == [*prompt.tolist(), *written[:-1]]


def test_prompts_of_any_lengths_are_written_on_as_if_alone():
    prompts = ["abcd", "", "a", "abcd"]
    together = chosen(prompts, method="greedy", repetition_penalty=1.3)
    for prompt, text in zip(prompts, together, strict=True):
        alone = chosen([prompt], method="greedy", repetition_penalty=1.3)[0]
        assert [i for i in text if i != sampling.NOTHING] == alone
        assert len(alone) == 12


@pytest.mark.parametrize("options", [{}, {"top_k": 3, "temperature": 0.7}, {"top_p": 0.8}])
def test_the_same_seed_writes_the_same_text(options):
    assert chosen(["ab", "c"], seed=3, **options) == chosen(["ab", "c"], seed=3, **options)
    assert chosen(["ab", "c"], seed=3, **options) != chosen(["ab", "c"], seed=4, **options)


@pytest.mark.parametrize(
    "options", [{}, {"method": "greedy"}, {"temperature": 1e300}, {"repetition_penalty": 1e-300}]
)
def test_what_is_below_the_lowest_is_never_written(options):
    for text in chosen(["ab"] * 4, length=50, lowest=KNOWN.size - 2, **options):
        assert set(text) <= {KNOWN.size - 2, KNOWN.size - 1}


def test_a_text_ends_where_stop_is_written():
    free = chosen(["", "a", "ab"] * 3, length=60, seed=1)
    stopped = chosen(["", "a", "ab"] * 3, length=60, seed=1, stop=2)
    assert any(sampling.NOTHING in text for text in stopped)
    for whole, text in zip(free, stopped, strict=True):
        written = [i for i in text if i != sampling.NOTHING]
        assert written == [i for i in whole if i != sampling.NOTHING][: len(written)]
        assert 2 not in written[:-1]
        assert written[-1] == 2 or len(written) == 60


def test_a_penalty_makes_a_text_richer():
    plain = chosen(["a"], length=40, method="greedy")[0]
    penalised = chosen(["a"], length=40, method="greedy", repetition_penalty=2.0)[0]
    assert len(set(penalised)) > len(set(plain))


def test_written_text_never_holds_unknown_characters_and_ends_with_the_document(caplog):
    texts = sampling.write(
        step, start(50), ["a床"] * 50, KNOWN, 40, SamplingOptions(temperature=3.0), seeded()
    )
    assert len(set(texts)) > 1
    assert set("".join(texts)) == set(KNOWN.characters)
    assert any(len(text) < 40 for text in texts)
    assert max(map(len, texts)) <= 40
    assert "the model does not know '床'" in caplog.text


def test_streamed_characters_are_those_of_the_text():
    for seed in range(10):
        arguments = ("ab", KNOWN, 20, SamplingOptions())
        pieces = list(sampling.stream(step, start(1), *arguments, seeded(seed)))
        (text,) = sampling.write(step, start(1), ["ab"], *arguments[1:], seeded(seed))
        assert "".join(pieces) == text
        assert all(len(piece) == 1 for piece in pieces)


def test_a_stream_computes_no_further_than_it_is_read():
    calls = []

    def counting(ids, state):
        calls.append(ids)
        return step(ids, state)

    pieces = sampling.stream(
        counting, start(1), "ab", KNOWN, 1_000_000, SamplingOptions(), seeded()
    )
    next(pieces)
    assert len(calls) == 3
    assert not torch.is_inference_mode_enabled()


def beam(length, width, stop=None, lowest=0):
    return sampling.beam_search(
        step, start(width), ids_of("ab")[0], length, width, lambda state, rows: state[rows],
        lowest, stop,
    )  # fmt: skip


@functools.cache
def after(text):
    """What may come after a text, by its logarithm, and the state there; texts share beginnings."""
    if text:
        logits, state = step(torch.tensor([text[-1]]), after(text[:-1])[1])
    else:
        state = start(1)
        for symbol in ids_of("ab")[0].tolist():
            logits, state = step(torch.tensor([symbol]), state)
    return logits.log_softmax(1)[0].tolist(), state


def log_p(text):
    return sum(after(tuple(text[:i]))[0][symbol] for i, symbol in enumerate(text))


def test_a_beam_of_one_is_greedy():
    ((text, p),) = beam(8, width=1)
    assert text == chosen(["ab"], length=8, method="greedy")[0]
    assert p == pytest.approx(log_p(text), abs=1e-4)


def test_a_beam_wide_enough_finds_the_likeliest_texts():
    every = sorted(itertools.product(range(KNOWN.size), repeat=3), key=log_p, reverse=True)
    texts = beam(3, width=KNOWN.size**2)
    assert [tuple(text) for text, _ in texts[:5]] == every[:5]
    for text, p in texts[:5]:
        assert p == pytest.approx(log_p(text), abs=1e-4)


def test_a_beam_lets_ended_texts_stand():
    texts = beam(4, width=KNOWN.size**3, stop=2)
    candidates = [
        text
        for n in (1, 2, 3, 4)
        for text in itertools.product(range(KNOWN.size), repeat=n)
        if 2 not in text[:-1] and (n == 4 or text[-1] == 2)
    ]
    every = sorted(candidates, key=log_p, reverse=True)
    assert [tuple(text) for text, _ in texts[:10]] == every[:10]


def test_a_beam_never_writes_what_is_below_the_lowest():
    for text, _ in beam(4, width=8, lowest=5):
        assert min(text) >= 5


def test_the_texts_of_a_search_are_spelled_without_their_end():
    found = sampling.search(
        step, start(4), ids_of("ab")[0], KNOWN, 5, 4, lambda state, rows: state[rows]
    )
    expected = beam(5, width=4, stop=2, lowest=2)
    assert found == [vocabulary.decode(np.array(ids), KNOWN)[0] for ids, _ in expected]
    assert set("".join(found)) <= set(KNOWN.characters)
