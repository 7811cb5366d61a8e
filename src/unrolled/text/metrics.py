"""How well a model knows a text, from the summed loss."""

import math

# exp of more is beyond float64; a diverged network gets there.
_LARGEST = 709.0


def scores(nats: float, characters: int, utf8_bytes: int) -> dict[str, float]:
    """Normalise a summed loss.

    A character is every symbol that the model was asked for: the text's own characters and, where
    documents have boundaries, the end of each, which stands for the newline behind it. So the cost
    of the ends is in the sum and their number in the count, as for a file read with its newlines.
    Characters that the vocabulary does not know cost what `<unk>` costs: the numbers of two models
    compare only where both know the same characters.

    Args:
        nats: summed -ln p.
        characters: symbols it was summed over, at least 1.
        utf8_bytes: their bytes in UTF-8, which makes numbers of different scripts comparable.

    Returns:
        `nats_per_char`, `bits_per_char`, `perplexity` (per character) and `bits_per_byte`.

    >>> scores(nats=10 * math.log(2), characters=10, utf8_bytes=20)["bits_per_byte"]
    0.5
    """
    nats = float(nats)  # also of a numpy sum, so that all results are plain numbers
    mean = nats / characters
    return {
        "nats_per_char": mean,
        "bits_per_char": mean / math.log(2),
        "perplexity": math.exp(mean) if mean < _LARGEST else math.inf,
        "bits_per_byte": nats / math.log(2) / utf8_bytes,
    }
