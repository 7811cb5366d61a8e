import math
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from unrolled.text import corpus, novelty

CORPORA = Path(__file__).parents[2] / "conf/base/parameters/corpora.yml"
QUATRAIN = yaml.safe_load(CORPORA.read_text())["corpus_options"]["tang"]["samples"]["form"]
few = st.text("ab\n床", max_size=40)


def copied(text, training, length):
    return [text[i : i + length] in training for i in range(len(text) - length + 1)]


@given(few, few)
def test_the_longest_copied_run_is_that_of_trying_all(text, training):
    found = novelty.longest_copied_run(text, training)
    runs = [text[i:j] for j in range(len(text) + 1) for i in range(j)]
    longest = max((len(run) for run in runs if run in training), default=0)
    first = next((run for run in runs if len(run) == longest and run in training), "")
    assert found == first


@given(few, few, st.integers(1, 12))
def test_the_share_of_new_runs_is_that_of_looking_each_up(text, training, length):
    found = novelty.new_share(text, training, length)
    if len(text) < length:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(1 - np.mean(copied(text, training, length)))


def test_a_text_copied_whole_is_found_in_a_megabyte_within_seconds():
    rng = np.random.default_rng(0)
    training = "".join(map(chr, rng.integers(97, 123, 1_000_000)))
    text = training[500_000:500_777]
    began = time.perf_counter()
    assert novelty.longest_copied_run("#" + text + "#", training) == text
    assert novelty.new_share(text, training) == 0
    assert novelty.new_share(text.upper(), training) == 1
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    ("poem", "kept"),
    [
        ("床前明月光，疑是地上霜。举头望明月，低头思故乡。", True),
        ("朝辞白帝彩云间，千里江陵一日还。两岸猿声啼不住，轻舟已过万重山。", True),
        ("床前明月光，疑是地上霜。举头望明月，低头思故。", False),
        ("床前明月光，疑是地上霜。举头望明月，低头思故乡，", False),
        ("床前明月光，疑是地上霜。朝辞白帝彩云间，千里江陵一日还。", False),
        ("床前明月光，疑是地上霜。", False),
        ("床前明月 ，疑是地上霜。举头望明月，低头思故乡。", False),
        ("床前明月光，疑是地上霜。举头望明月，低头思故乡。床", False),
        ("", False),
    ],
)
def test_the_form_of_a_quatrain_is_recognised(poem, kept):
    assert novelty.form_share([poem], QUATRAIN) == kept


def test_every_tang_quatrain_keeps_the_form(shared_text):
    poems = corpus.documents(shared_text("tang_quatrains/tang_quatrains.txt"), "line")
    assert novelty.form_share(poems, QUATRAIN) == 1


def test_no_poems_have_no_share():
    assert math.isnan(novelty.form_share([], QUATRAIN))
