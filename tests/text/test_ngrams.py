import math
from collections import Counter, defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from unrolled.errors import InputError
from unrolled.text import compression, corpus, metrics, ngrams, vocabulary
from unrolled.text.options import CorpusOptions


def slow_truth(documents, order, symbols, three):
    """p(w | context), straight from the formula, with tuples in dictionaries."""
    grams = [Counter(d[i : i + n] for d in documents for i in range(len(d) - n + 1))
             for n in range(order + 1)]  # fmt: skip
    before = [defaultdict(set) for _ in range(order + 1)]
    for n in range(1, order + 1):
        for gram in grams[n]:
            before[n - 1][gram[1:]].add(gram[0])
    tables = []
    for n in range(1, order + 1):
        count = {g: len(before[n][g]) or c for g, c in grams[n].items() if g[-1] != "<bos>"}
        n1, n2, n3, n4 = (list(count.values()).count(i) for i in (1, 2, 3, 4))
        one = n1 / (n1 + 2 * n2) if n1 else 0.5
        discount = [0, one, one, one]
        if three and n1 and n2 and n3:
            rational = Fraction(n1, n1 + 2 * n2)
            two, more = 2 - 3 * rational * n3 / n2, 3 - 4 * rational * n4 / n3
            if two > 0 and more > 0:
                discount[2:] = float(two), float(more)
        tables.append((count, discount))

    def p(w, context):
        if context is None:
            return 1 / len(symbols)
        lower = p(w, context[1:] if context else None)
        count, discount = tables[len(context)]
        here = {g: c for g, c in count.items() if g[:-1] == context}
        if not here:
            return lower
        total = sum(here.values())
        withheld = sum(discount[min(c, 3)] for c in here.values())
        c = here.get((*context, w), 0)
        return (c - discount[min(c, 3)]) / total + withheld / total * lower

    return p


small = st.lists(st.text("abcd", max_size=12), min_size=1, max_size=6).filter(any)


@settings(max_examples=60)
@given(small, small, st.integers(1, 5), st.booleans(), st.booleans())
def test_losses_are_those_of_a_slow_second_truth(train, held_out, order, boundaries, three):
    known = vocabulary.build(train, boundaries)
    symbols = ["<unk>", *(["<eos>"] if boundaries else []), *known.characters]
    if boundaries:
        framed = [("<bos>", *d, "<eos>") for d in train]
    else:
        framed, held_out = [tuple("".join(train))], ["".join(held_out)]
    truth = slow_truth(framed, order, symbols, three)
    expected = []
    for document in held_out:
        text = [c if c in known.characters else "<unk>" for c in document]
        if boundaries:
            expected.append(math.nan)
            text = ["<bos>", *text, "<eos>"]
        for i in range(boundaries, len(text)):
            expected.append(-math.log(truth(text[i], tuple(text[max(0, i - order + 1) : i]))))
    model = ngrams.fit(
        vocabulary.encode(train, known), known.size, order, 3 if three else 1, known.bos
    )
    found = ngrams.losses(model, vocabulary.encode(held_out, known))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


# Streams of few symbols, in which counts of counts make impossible discounts.
streams = st.integers(2, 5).flatmap(
    lambda size: st.tuples(
        st.just(size),
        st.lists(st.integers(0, size - 1), min_size=1, max_size=40),
        st.sampled_from([None, 0]),
    )
)


@settings(max_examples=100)
@given(streams, st.integers(0, 8), st.sampled_from([1, 3]))
@example((4, [2, 2, 3, 3, 3, 3, 2, 1, 2, 3, 3, 1, 2, 3], None), 2, 3)
def test_every_symbol_is_possible_after_every_context(stream, order, discounts):
    size, ids, bos = stream
    model = ngrams.fit(np.array(ids), size, order, discounts, bos)
    asked = [symbol for symbol in range(size) if symbol != bos]
    for end in range(len(ids) + 1):
        read = ids[max(0, end - order) : end]
        p = [np.exp(-ngrams.losses(model, np.array([*read, symbol]))[-1]) for symbol in asked]
        assert min(p) > 0
        assert sum(p) == pytest.approx(1)


def test_discounts_that_cannot_be_leave_a_real_text_its_rank(shared_case):
    """Three discounts, one of them nothing, cost infinitely many bits, and any network won."""
    options = CorpusOptions(boundaries="line")
    text = corpus.decode(shared_case("text/names_mkn_inf.txt"), options, "names")
    found = [bench(text, *model, "line") / math.log(2) for model in ((4, 1), (6, 1), (6, 3))]
    assert found == pytest.approx([2.202, 2.357, 2.302], abs=0.001)


@given(
    small, st.text("abcde", max_size=6), st.integers(0, 6), st.booleans(), st.sampled_from([1, 3])
)
def test_probabilities_sum_to_one(train, context, order, boundaries, discounts):
    known = vocabulary.build(train, boundaries)
    model = ngrams.fit(vocabulary.encode(train, known), known.size, order, discounts, known.bos)
    read = vocabulary.encode([context], known)[: -1 if boundaries else None]
    total = 0.0
    for symbol in range(known.size):
        if symbol != known.bos:
            total += np.exp(-ngrams.losses(model, np.append(read, symbol))[-1])
    assert total == pytest.approx(1)


@given(small, st.booleans())
def test_bits_of_the_uniform_model_are_the_logarithm_of_the_symbols(documents, boundaries):
    known = vocabulary.build(documents, boundaries)
    ids = vocabulary.encode(documents, known)
    asked = vocabulary.targets(ids, known)
    found = ngrams.losses(ngrams.fit(ids, known.size, 0, bos=known.bos), ids)[asked]
    symbols = known.size - boundaries  # <bos> is never asked for
    if len(found):
        bits = metrics.scores(found.sum(), len(found), 1)["bits_per_char"]
        assert bits == pytest.approx(math.log2(symbols))


def test_no_document_sees_another():
    known = vocabulary.build(["ab", "cd"], boundaries=True)
    model = ngrams.fit(vocabulary.encode(["ab", "cd"] * 3, known), known.size, 5, bos=known.bos)
    one = ngrams.losses(model, vocabulary.encode(["cd"], known))
    after = ngrams.losses(model, vocabulary.encode(["ab", "cd"], known))
    np.testing.assert_array_equal(one, after[-4:])


def test_a_negative_order_is_refused():
    with pytest.raises(InputError) as error:
        ngrams.fit(np.zeros(3, np.uint8), 2, -1)
    assert str(error.value) == ("n-gram: order is -1; expected 0 (uniform), 1 (unigram) or more")


def bench(text, order, discounts=1, boundaries="none", share=0.1):
    """Nats per character on the test part; the rest is counted, as in the published protocol."""
    options = CorpusOptions(boundaries=boundaries, test=share)
    parts = corpus.split(corpus.documents(text, boundaries), options, "corpus")
    train = [*parts.train, *parts.validation]
    known = vocabulary.build(train, boundaries != "none")
    ids = vocabulary.encode(parts.test, known)
    model = ngrams.fit(vocabulary.encode(train, known), known.size, order, discounts, known.bos)
    found = ngrams.losses(model, ids)
    return found[vocabulary.targets(ids, known)].mean()


PUBLISHED = {
    "tinyshakespeare/input.txt": {2: 2.484, 3: 2.045, 4: 1.729, 5: 1.579, 6: 1.558},
    "shakespeare_plays/shakespeare_plays.txt": {4: 1.802, 5: 1.680, 6: 1.655},
    "xiyouji/xiyouji.txt": {1: 6.634, 2: 5.171, 3: 4.903, 4: 4.870},
    "tang_quatrains/tang_quatrains.txt": {1: 6.433, 2: 5.488, 3: 5.412, 4: 5.410},
}


@pytest.mark.slow
@pytest.mark.parametrize("path", PUBLISHED)
def test_kneser_ney_reaches_the_numbers_of_the_data_sheets(path, shared_text):
    text = shared_text(path)
    boundaries = "line" if "tang" in path else "none"
    for order, nats in PUBLISHED[path].items():
        assert bench(text, order, boundaries=boundaries) == pytest.approx(nats, abs=0.0025)


def test_every_baseline_beats_the_one_before_it(shared_text):
    text = shared_text("shakespeare_plays/shakespeare_plays.txt")[:200_000]
    found = [bench(text, *ngrams.BASELINES[name]) for name in ngrams.BASELINES]
    assert found == sorted(found, reverse=True)


@pytest.mark.slow
def test_three_discounts_do_better_than_one(shared_text):
    text = shared_text("tinyshakespeare/input.txt")
    assert bench(text, 6, discounts=3) == pytest.approx(1.523, abs=0.001)


@pytest.mark.slow
def test_xz_reaches_the_number_of_the_data_sheet(shared_text):
    text = shared_text("tinyshakespeare/input.txt")
    parts = corpus.split([text], CorpusOptions(), "tiny")
    nats = compression.xz_nats(parts.train[0] + parts.validation[0], parts.test[0])
    bits = metrics.scores(nats, len(parts.test[0]), 1)["bits_per_char"]
    assert bits == pytest.approx(2.518, abs=0.001)


def test_xz_that_has_seen_the_text_pays_little_for_it():
    rng = np.random.default_rng(0)
    text = "".join(map(chr, rng.integers(97, 123, 5000)))
    assert compression.xz_nats(text, text) < 0.02 * compression.xz_nats("", text)
