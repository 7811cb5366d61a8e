import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from unrolled.errors import InputError
from unrolled.text import sampling, vocabulary
from unrolled.text.options import SamplingOptions

V = 7
# Distinct, so that no order depends on ties, and apart by more than rounding.
logit_rows = st.lists(st.permutations([i * 0.37 - 1.0 for i in range(V)]), min_size=1, max_size=3)


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def found(rows, seen=None, **options):
    logits = torch.tensor(rows, dtype=torch.float64)
    return sampling.restrict(logits, SamplingOptions(**options), seen).softmax(1).numpy()


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
    seen = torch.tensor([marks] * len(rows))
    for row, p in zip(rows, found(rows, seen, repetition_penalty=penalty), strict=True):
        changed = [
            (x / penalty if x > 0 else x * penalty) if mark else x
            for x, mark in zip(row, marks, strict=True)
        ]
        np.testing.assert_allclose(p, softmax(np.array(changed)))


@given(logit_rows, st.floats(0.3, 3), st.integers(1, V), st.floats(0.1, 1), st.floats(0, 1))
def test_samplers_apply_one_after_another(rows, temperature, top_k, top_p, min_p):
    step = torch.tensor(rows, dtype=torch.float64)
    for options in (
        {"temperature": temperature}, {"top_k": top_k}, {"top_p": top_p}, {"min_p": min_p},
    ):  # fmt: skip
        step = sampling.restrict(step, SamplingOptions(**options))
    together = found(rows, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    np.testing.assert_allclose(together, step.softmax(1).numpy())


def test_draws_follow_the_distribution():
    row = torch.tensor([0.0, 1.0, 2.0, -1.0]).repeat(40_000, 1)
    ids = sampling.choose(row, SamplingOptions(top_k=3), torch.Generator().manual_seed(0))
    share = np.bincount(ids.numpy(), minlength=4) / len(row)
    np.testing.assert_allclose(share, found([[0.0, 1.0, 2.0, -1.0]], top_k=3)[0], atol=0.01)


@given(logit_rows)
def test_greedy_takes_the_likeliest(rows):
    options = SamplingOptions(method="greedy", temperature=9.0)
    ids = sampling.choose(torch.tensor(rows), options, torch.Generator())
    assert ids.tolist() == [int(np.argmax(row)) for row in rows]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"temperature": value},
            "expected a number above 0; for the likeliest character every time, set method to"
            " greedy",
        )
        for value in (0, -1.0, math.nan, math.inf)
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
    return torch.Generator().manual_seed(seed)


def ids_of(*prompts):
    return [vocabulary.encode_prompt(prompt, KNOWN) for prompt in prompts]


def chosen(prompts, length=12, seed=0, banned=(), stop=None, **options):
    steps = sampling.generate(
        step, start(len(prompts)), ids_of(*prompts), length, SamplingOptions(**options),
        seeded(seed), banned, stop,
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


def test_what_is_banned_is_never_written():
    allowed = [3, 4]
    banned = [i for i in range(KNOWN.size) if i not in allowed]
    assert set(itertools.chain(*chosen(["ab"] * 4, length=50, banned=banned))) == set(allowed)
    assert set(itertools.chain(*chosen([""], method="greedy", banned=banned))) <= set(allowed)


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


def test_an_unknown_prompt_is_refused_where_strict():
    with pytest.raises(InputError, match="the model does not know '床'"):
        sampling.write(step, start(1), ["床"], KNOWN, 4, SamplingOptions(), seeded(), strict=True)


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


def beam(length, width, stop=None, banned=()):
    return sampling.beam_search(
        step, start(width), ids_of("ab")[0], length, width, lambda state, rows: state[rows],
        banned, stop,
    )  # fmt: skip


def log_p(text):
    state, total = start(1), 0.0
    for symbol in ids_of("ab")[0].tolist():
        logits, state = step(torch.tensor([symbol]), state)
    for symbol in text:
        total += float(logits.log_softmax(1)[0, symbol])
        logits, state = step(torch.tensor([symbol]), state)
    return total


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


def test_a_beam_never_writes_what_is_banned():
    for text, _ in beam(4, width=8, banned=[0, 1, 5]):
        assert not {0, 1, 5} & set(text)


def test_the_texts_of_a_search_are_spelled_without_their_end():
    found = sampling.search(
        step, start(4), ids_of("ab")[0], KNOWN, 5, 4, lambda state, rows: state[rows]
    )
    expected = beam(5, width=4, stop=2, banned=[0, 1])
    assert found == [vocabulary.decode(np.array(ids), KNOWN)[0] for ids, _ in expected]
    assert set("".join(found)) <= set(KNOWN.characters)
