"""N-gram baselines: uniform, unigram and interpolated Kneser-Ney, what a network has to beat.

The probability of symbol w after context h (the n-1 symbols before it) is

    p(w | h) = max(c(hw) - D, 0) / c(h·)  +  D N(h·) / c(h·) · p(w | h without its oldest symbol)

with c the count of a gram, c(h·) the sum over its continuations and N(h·) their number. For the
highest order c is how often the gram occurs; below it, how many different symbols stand before it,
and how often it occurs where none ever does (at the start of a document). The recursion ends in
the uniform distribution over all symbols that can be asked for. A context never seen leaves the
lower order as it is. Grams begin with `<bos>` at the earliest: no document sees another.

Order 0 is the uniform distribution, order 1 the unigram.

Every gram has a number, its rank among the sorted grams of its order. A gram of n symbols is the
pair of the rank of its first n-1 and its last symbol, packed into one integer, so that counting is
sorting and looking up is a binary search, whatever the order and the vocabulary.

Letters: N symbols of a stream, G grams of an order, V ids of the vocabulary.

Source:
    Kneser & Ney (1995), ICASSP; Chen & Goodman (1999), Computer Speech & Language 13:359, eq. 16
    (interpolated, one discount D = n1 / (n1 + 2 n2) an order) and eq. 26 (modified: three).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from unrolled.errors import InputError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Ids = npt.NDArray[np.integer[Any]]

# The discount where no gram of an order occurs just once, as in a text of a few words.
_DISCOUNT = 0.5
Discounts = Literal[1, 3]
# Order and number of discounts.
BASELINES: dict[str, tuple[int, Discounts]] = {
    "uniform": (0, 1),
    "unigram": (1, 1),
    **{f"kneser_ney_{order}": (order, 1) for order in range(2, 7)},
    "modified_kneser_ney_6": (6, 3),
}


@dataclass(frozen=True)
class Order:
    """Grams of one length n.

    Attributes:
        keys: (G,) rising, rank of the first n-1 symbols times V plus the last symbol.
        discounted: (G,) max(c - D, 0) / c(h·), float64.
        backoff: share of each context that goes to the lower order, (G of order n-1,).
    """

    keys: IntArray
    discounted: FloatArray
    backoff: FloatArray


@dataclass(frozen=True)
class NGram:
    """A fitted model.

    Attributes:
        orders: order 1 first; none for the uniform distribution.
        size: V.
        bos: id that is never asked for and that no gram reaches across; None for none.
    """

    orders: tuple[Order, ...]
    size: int
    bos: int | None


def fit(ids: Ids, size: int, order: int, discounts: Discounts = 1, bos: int | None = None) -> NGram:
    """Count the grams of the train part.

    Args:
        ids: stream (N,), as `vocabulary.encode` gives it.
        size: V, ids of the vocabulary.
        order: n, symbols of the longest gram; 0 for uniform, 1 for unigram.
        discounts: discounts of an order: 1 for all counts, or 3 for the counts 1, 2 and above
            (modified Kneser-Ney, mostly better).
        bos: id before each document; None where there is none.

    Raises:
        InputError: a negative order.
    """
    if order < 0:
        raise InputError(f"n-gram: order is {order}; expected 0 (uniform), 1 (unigram) or more")
    symbols = ids.astype(np.int64)
    depth = _depth(symbols, bos)
    keys: list[IntArray] = []
    counts: list[IntArray] = []
    rank = np.zeros(len(ids), np.int64)  # of the gram that ends here, at first the empty one
    for n in range(1, order + 1):
        at = np.flatnonzero(depth >= n - 1)
        if not len(at):  # no document is so long
            break
        packed = (rank[at - 1] if n > 1 else rank) * size + symbols[at]
        found, first, inverse, count = np.unique(
            packed, return_index=True, return_inverse=True, return_counts=True
        )
        if n > 1:  # the grams without their oldest symbol are known now by what stands before them
            before = np.bincount(rank[at][first], minlength=len(counts[-1]))
            counts[-1] = np.where(before > 0, before, counts[-1])
        keys.append(found)
        counts.append(count)
        rank = np.full(len(ids), -1)
        rank[at] = inverse
    if keys and bos is not None:
        counts[0] = np.where(keys[0] == bos, 0, counts[0])
    orders: list[Order] = []
    for found, count in zip(keys, counts, strict=True):
        contexts = len(orders[-1].keys) if orders else 1
        orders.append(_order(found, count, contexts, size, discounts))
    return NGram(tuple(orders), size, bos)


def _order(keys: IntArray, counts: IntArray, contexts: int, size: int, discounts: int) -> Order:
    context = keys // size
    discount = _discounts(counts, discounts)[np.minimum(counts, 3)]
    total = np.bincount(context, counts, contexts)
    withheld = np.bincount(context, discount, contexts)
    # A context without a count, as `<bos>` itself before anything, leaves all to the lower order.
    scale = 1 / np.maximum(total, 1)
    return Order(
        keys,
        (counts - discount) * scale[context],
        np.where(total > 0, withheld * scale, 1.0),
    )


def _discounts(counts: IntArray, discounts: int) -> FloatArray:
    """Discount of a gram counted 0, 1, 2, and 3 or more times.

    Three that are not all above zero would leave a context nothing to give to what it has not seen;
    then the order has one, as where the counts that three follow from are missing.
    """
    once, twice, thrice, four = (int(np.count_nonzero(counts == c)) for c in (1, 2, 3, 4))
    seen = once + 2 * twice
    one = once / seen if once else _DISCOUNT
    if discounts == 3 and once and twice and thrice:
        # eq. 26 as whole numbers, so that a zero is one.
        two = (2 * seen * twice - 3 * once * thrice) / (seen * twice)
        more = (3 * seen * thrice - 4 * once * four) / (seen * thrice)
        if min(two, more) > 0:
            return np.array([0, one, two, more])
    return np.array([0, one, one, one])


def losses(model: NGram, ids: Ids) -> FloatArray:
    """Loss of each symbol given those before it in its document.

    Args:
        model: as `fit` gives it.
        ids: stream (N,) of held-out text.

    Returns:
        -ln p in nats (N,); NaN at `<bos>`, which is never asked for. The first symbol of the
        stream, without anything before it, has a loss too; `vocabulary.targets` leaves it out.
    """
    asked = ids != model.bos if model.bos is not None else np.ones(len(ids), bool)
    return -np.log(np.where(asked, _probabilities(model, ids.astype(np.int64)), np.nan))


def _probabilities(model: NGram, ids: IntArray) -> FloatArray:
    """Return p of each symbol (N,)."""
    depth = _depth(ids, model.bos)
    p = np.full(len(ids), 1 / (model.size - (model.bos is not None)))
    rank = np.zeros(len(ids), np.int64)  # of the gram that ends here; -1: never seen
    for n, order in enumerate(model.orders, 1):
        context = rank if n == 1 else np.where(depth >= n - 1, np.roll(rank, 1), -1)
        rank = _find(order.keys, np.where(context >= 0, context * model.size + ids, -1))
        seen = np.where(rank >= 0, order.discounted[rank], 0.0)
        p = np.where(context >= 0, seen + order.backoff[context] * p, p)
    return p


def _find(keys: IntArray, wanted: IntArray) -> IntArray:
    """Return the places of `wanted` in the sorted keys, -1 where they are not."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, place, -1)


def _depth(ids: IntArray, bos: int | None) -> IntArray:
    """Count the symbols before each that its context may hold: those of its own document."""
    places = np.arange(len(ids))
    if bos is None:
        return places
    return places - np.maximum.accumulate(np.where(ids == bos, places, 0))
