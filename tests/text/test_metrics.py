import math

import pytest

from unrolled.text.metrics import scores


def test_a_summed_loss_is_normalised_by_characters_and_bytes():
    found = scores(nats=30.0, characters=10, utf8_bytes=30)
    assert found == pytest.approx(
        {
            "nats_per_char": 3.0,
            "bits_per_char": 3.0 / math.log(2),
            "perplexity": math.exp(3.0),
            "bits_per_byte": 1.0 / math.log(2),
        }
    )


def test_a_diverged_model_has_an_infinite_perplexity():
    assert scores(nats=1e6, characters=10, utf8_bytes=10)["perplexity"] == math.inf
