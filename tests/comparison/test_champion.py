import json
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from unrolled.comparison.champion import choose, choose_network, diebold_mariano
from unrolled.comparison.champion import crown as crown_of
from unrolled.comparison.champion import measure as measure_of
from unrolled.comparison.records import Card, Champion, Chosen, Rehearsal
from unrolled.comparison.sentences import advice, sentence, winner_sentence
from unrolled.pipelines.text import nodes as text
from unrolled.series import metrics
from unrolled.text.vocabulary import Vocabulary

DIGESTS = {"gru/seed_1.safetensors": "aa", "gru/seed_1.json": "bb", "scaler.csv": "cc"}
CHOICE = Chosen(variant="gru", seed=1, validation_score=0.3, mean_validation_score=0.4)
crown = partial(crown_of, job="forecasting", data_set="mine")
measure = partial(measure_of, job="forecasting", data_set="mine")


def board(gru: float, ridge: float | None) -> pd.DataFrame:
    rows = [{"variant": "gru", "kind": "recurrent", "mae": 2.0, "mase": gru}]
    if ridge is not None:
        rows.append({"variant": "ridge", "kind": "baseline", "mae": 2.0, "mase": ridge})
    return pd.DataFrame(rows).sort_values("mase")


def card(variant: str, seed: int, loss: float | None) -> Card:
    return Card(variant=variant, seed=seed, validation_loss=loss, parameters=3, train_seconds=1)


def test_the_mean_over_seeds_chooses_the_variant_and_then_its_best_seed():
    cards = [card("rnn", 0, 0.1), card("rnn", 1, 0.9), card("gru", 0, 0.5), card("gru", 1, 0.3)]
    found = choose_network(*cards)
    assert found == CHOICE


def test_a_network_whose_validation_loss_is_no_number_is_never_chosen():
    cards = [card("rnn", 0, float("nan")), card("rnn", 1, 0.01), card("gru", 1, 5.0)]
    assert choose_network(*cards).variant == "gru"


def rehearsed(
    variant: str, kind: str, seed: int | None, mase: float | None, mae: float | None = 1.0
) -> Rehearsal:
    return Rehearsal(
        variant=variant, kind=kind, seed=seed, validation_mase=mase, validation_mae=mae
    )


REHEARSED = [
    rehearsed("rnn", "recurrent", 0, 0.1),
    rehearsed("rnn", "recurrent", 1, 0.9),
    rehearsed("gru", "recurrent", 0, 0.5),
    rehearsed("gru", "recurrent", 1, 0.3),
    rehearsed("rnn_median", "ensemble", None, 0.45),
    rehearsed("gru_median", "ensemble", None, 0.39),
    rehearsed("ridge", "baseline", None, 0.38),
]


def test_the_rehearsals_choose_the_winner_of_any_kind_and_the_champion_among_networks():
    found = choose(REHEARSED, [])
    assert found.winner == "ridge"
    assert found.champion == CHOICE
    assert found.metric == "mase"
    gru, ridge = found.rows["gru"], found.rows["ridge"]
    assert (gru.kind, gru.seeds) == ("recurrent", (1, 0))
    assert gru.validation_score == pytest.approx(0.4)
    assert found.rows["gru_median"].seeds == (1, 0)
    assert (ridge.kind, ridge.validation_score, ridge.seeds) == ("baseline", 0.38, ())


def test_a_row_whose_rehearsal_is_no_number_never_wins():
    broken = rehearsed("ridge", "baseline", None, float("nan"))
    found = choose([*REHEARSED[:-1], broken], [])
    assert found.winner == "gru_median"
    assert found.rows["ridge"].validation_score is None


def test_without_a_season_scale_the_rehearsals_are_ranked_by_mae():
    nan = float("nan")
    rows = [
        rehearsed("gru", "recurrent", 0, nan, 3.0),
        rehearsed("ridge", "baseline", None, nan, 2.0),
    ]
    found = choose(rows, [])
    assert (found.metric, found.winner) == ("mae", "ridge")


def test_where_nothing_can_be_rehearsed_seasonal_naive_forecasts(caplog):
    nan = float("nan")
    rows = [
        rehearsed("rnn", "recurrent", 0, nan, nan),
        rehearsed("gru", "recurrent", 1, nan, nan),
        rehearsed("ridge", "baseline", None, nan, nan),
        rehearsed("seasonal_naive", "baseline", None, nan, nan),
    ]
    cards = [card("rnn", 0, 0.5), card("gru", 1, 0.4)]
    found = choose(rows, cards)
    assert (found.metric, found.winner) == (None, "seasonal_naive")
    assert found.champion.variant == "gru"
    assert choose(rows[:2], cards).winner == "gru"
    assert "No series is long enough to rehearse" in caplog.text


def test_the_test_part_confirms_the_winner_or_contradicts_it_in_words():
    names = ["gru_median", "ridge", "gru", "rnn", "rnn_median"]
    lead = pd.DataFrame({"variant": names, "mase": [0.5, 0.6, 0.7, 0.8, 0.9]})
    digests = {
        f"{name}/seed_{seed}.{ending}": f"{name}{seed}{ending}"
        for name in ("gru", "rnn", "old")
        for seed in (0, 1)
        for ending in ("safetensors", "json", "history.csv")
    } | {"scaler.csv": "cc"}
    found = measure(choose(REHEARSED, []), lead, digests, "scaler.csv")
    assert winner_sentence(found) == (
        "The winner is ridge: MASE 0.38 in the rehearsals, the lowest. The test part contradicts it:"
        " MASE 0.6, where gru_median has 0.5."
    )
    assert len(found.digests) == 1 + 2 * 2 * 2  # of no other study's files
    assert found.digests["gru/seed_1.json"] == "gru1json"
    confirmed = measure(
        choose(REHEARSED, []),
        lead.iloc[[1, 0, 2, 3, 4]].assign(mase=[0.5, 0.6, 0.7, 0.8, 0.9]),
        digests,
        "scaler.csv",
    )
    assert winner_sentence(confirmed).endswith(
        "The test part confirms it: MASE 0.5, the lowest too."
    )


def test_a_champion_that_loses_says_so_in_its_sentence():
    losses = pd.DataFrame({"gru": np.arange(20.0), "ridge": np.arange(20.0) ** 0.5})
    found = crown(CHOICE, board(1.0, 0.5), 0.9, losses, 2, DIGESTS, "scaler.csv")
    assert found.beats_baseline is False
    assert found.margin == -0.5
    assert found.baseline == "ridge"
    assert found.digests == {"model": "aa", "options": "bb", "scaler": "cc"}
    assert (found.score, found.seed_score) == (1.0, 0.9)
    assert sentence(found).startswith("The champion gru does not beat the best baseline: MASE 1 ")


def test_the_best_baseline_of_several_is_the_one_to_beat_loss_by_loss():
    lead = board(1.0, 1.2)
    worst = pd.DataFrame([{"variant": "drift", "kind": "baseline", "mae": 9.0, "mase": 3.0}])
    draws = np.random.default_rng(0).random((3, 40))
    losses = pd.DataFrame(draws.T + np.array([1.0, 1.2, 3.0]), columns=["gru", "ridge", "drift"])
    found = crown(CHOICE, pd.concat([lead, worst]), 1.0, losses, 2, DIGESTS, "scaler.csv")
    assert (found.baseline, found.margin) == ("ridge", pytest.approx(0.2))
    assert found.p_value == diebold_mariano(losses["gru"].to_numpy(), losses["ridge"].to_numpy(), 2)


def test_a_champion_beside_no_baseline_has_not_beaten_one():
    found = crown(
        CHOICE, board(1.0, None), 0.9, pd.DataFrame({"gru": [1.0, 2.0]}), 1, DIGESTS, "scaler.csv"
    )
    assert found.beats_baseline is False
    assert found.baseline is found.margin is found.p_value is None
    assert sentence(found).startswith("No baseline was asked for")


def test_without_a_season_scale_the_champion_is_measured_in_mae():
    lead = board(float("nan"), float("nan"))
    losses = pd.DataFrame({"gru": [1.0, 2.0], "ridge": [2.0, 1.0]})
    assert crown(CHOICE, lead, 2.0, losses, 1, DIGESTS, "scaler.csv").metric == "mae"


def by_hand(d: np.ndarray, horizon: int) -> float:
    """Bartlett's variance and the correction of Harvey et al., from the papers' formulas."""
    n, e = len(d), d - d.mean()
    lags = max(horizon - 1, int(np.ceil(n ** (1 / 3))))
    gamma = [(e[k:] * e[: n - k]).sum() / n for k in range(lags + 1)]
    variance = gamma[0] + 2 * sum((1 - k / (lags + 1)) * gamma[k] for k in range(1, lags + 1))
    factor = np.sqrt((n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n)
    return float(2 * stats.t.sf(abs(factor * d.mean() / np.sqrt(variance / n)), n - 1))


@pytest.mark.parametrize(("rows", "horizon"), [(85, 12), (60, 6), (200, 1)])
def test_the_p_value_is_that_of_the_papers_formulas(rows, horizon):
    random = np.random.default_rng(rows)
    ours, theirs = random.normal(1.1, 1, rows), random.normal(1, 1, rows)
    assert diebold_mariano(ours, theirs, horizon) == pytest.approx(by_hand(ours - theirs, horizon))


@given(st.lists(st.floats(-5, 5), min_size=25, max_size=60), st.integers(1, 3), st.floats(0.1, 9))
def test_the_test_takes_neither_side_and_knows_no_unit(values, horizon, unit):
    ours = np.array(values) + np.linspace(0, 1, len(values))
    theirs = np.zeros(len(values))
    one = diebold_mariano(ours, theirs, horizon)
    assert one == pytest.approx(diebold_mariano(theirs, ours, horizon), nan_ok=True)
    assert one == pytest.approx(
        diebold_mariano(unit * ours, unit * theirs, horizon), rel=1e-4, abs=1e-9, nan_ok=True
    )


def test_eight_losses_that_share_no_target_are_the_fewest_that_are_tested():
    ours = np.random.default_rng(0).random(60)
    for horizon in (1, 2, 7):
        fewest = 7 * horizon + 1
        assert diebold_mariano(ours[:fewest], ours[:fewest] ** 2, horizon) is not None
        assert diebold_mariano(ours[: fewest - 1], ours[: fewest - 1] ** 2, horizon) is None


def test_with_fewer_the_test_would_find_differences_that_are_not_there():
    """Losses of equal means at a horizon of 6, whose neighbours share five targets of six."""
    random, horizon = np.random.default_rng(0), 6

    def found(disjoint: int) -> float:
        rows = (disjoint - 1) * horizon + 1
        draws = random.normal(size=(1500, rows + horizon - 1))
        losses = np.lib.stride_tricks.sliding_window_view(draws, horizon, axis=1).mean(axis=2)
        return float(np.mean([by_hand(own, horizon) < 0.05 for own in losses]))

    assert found(4) > 0.15
    assert found(8) < 0.14
    assert found(40) < 0.11


def test_losses_without_variance_leave_no_doubt():
    same = np.full(30, 2.0)
    assert diebold_mariano(same, same, 1) == 1.0
    assert diebold_mariano(same, same + 1, 1) == 0.0


@pytest.mark.parametrize(
    ("metric", "apart"), [("mase", "disjoint horizons"), ("bits_per_char", "whole blocks of text")]
)
def test_the_sentence_says_why_there_is_no_test(metric, apart):
    lost = Champion.model_construct(
        variant="gru", metric=metric, score=2.0, p_value=None, baseline="ridge",
        baseline_score=1.0, beats_baseline=False, advice=None,
    )  # fmt: skip
    said = f"(no Diebold-Mariano test: fewer than 8 {apart} in the test part)"
    assert said in sentence(lost)


def test_losses_by_cutoff_average_to_the_leaderboards_mase():
    random, season = np.random.default_rng(0), 2
    names = ["a", "b"]
    history = pd.DataFrame(
        [(name, t, random.normal()) for name in names for t in range(10)],
        columns=["unique_id", "ds", "y"],
    )
    backtest = pd.DataFrame(
        [
            (name, cutoff, step, random.normal(), random.normal(), "gru", seed)
            for name in names
            for cutoff in range(5)
            for step in (1, 2, 3)
            for seed in (0, 1)
        ],
        columns=["unique_id", "cutoff", "step", "y", "y_hat", "variant", "seed"],
    )
    scores = [metrics.score(own, history, season)["mase"] for _, own in backtest.groupby("seed")]
    losses = metrics.loss_by_cutoff(backtest, history, season, "mase")
    assert losses.index.tolist() == list(range(5))
    assert losses["gru"].mean() == pytest.approx(np.mean(scores))


def test_losses_by_block_average_to_bits_per_character():
    known = Vocabulary(characters="ab", counts=(9, 9), unknown=0, boundaries=False)
    ids = np.zeros(1301, np.int64)
    losses = np.random.default_rng(0).random(1301)
    losses[0] = np.nan
    blocks = text.loss_by_block(losses, card("gru", 1, 1.0), ids, known)
    assert blocks["characters"].tolist() == [500, 500, 300]
    lead = pd.DataFrame([{"variant": "gru", "kind": "recurrent", "bits_per_char": 1.0}])
    curve = pd.DataFrame(
        {"variant": ["gru"], "seed": [0], "passes": [4.0], "validation_loss": [1.0]}
    )
    found = text.champion(CHOICE, lead, blocks, curve, DIGESTS | {"vocabulary.json": "dd"}, "mine")
    assert found.seed_score == pytest.approx(losses[1:].mean() / np.log(2))
    assert (found.job, found.data_set) == ("text", "mine")
    assert found.digests["vocabulary"] == "dd"


def text_board(**bits: float) -> pd.DataFrame:
    rows = [
        {"variant": name, "kind": "recurrent" if name == "gru" else "baseline", "bits_per_char": x}
        for name, x in bits.items()
    ]
    return pd.DataFrame(rows).sort_values("bits_per_char")


def test_where_the_unigram_is_better_an_option_is_named() -> None:
    falling = pd.DataFrame({"passes": [2.0, 4.0], "validation_loss": [3.9, 3.6]})
    rising = pd.DataFrame({"passes": [10.0, 55.5, 100.0], "validation_loss": [3.6, 3.5, 5.0]})
    board = text_board(unigram=4.5, gru=5.0, kneser_ney_2=4.0)
    assert advice(board, falling) == (
        "Even the unigram is better, 4.5: raise text.training.epochs (now 4), since the validation loss"
        " was lowest at the end."
    )
    assert advice(board, rising) == (
        "Even the unigram is better, 4.5: lower text.training.learning_rate or text.model.hidden, or"
        " add text, since the validation loss was lowest at epoch 55.5 of 100."
    )
    assert advice(text_board(unigram=5.0, gru=5.0, kneser_ney_2=4.0), rising) is None
    assert advice(text_board(gru=5.0, kneser_ney_2=4.0), rising) is None


# --- what is no finite number ---------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [float("inf"), float("nan")])
def test_a_baseline_without_a_finite_score_is_beaten_by_nobody(wrong):
    found = crown(CHOICE, board(0.9, wrong), 0.9, pd.DataFrame(), 3, DIGESTS, "scaler.csv")
    assert (found.score, found.baseline_score, found.margin) == (0.9, None, None)
    assert (found.p_value, found.beats_baseline) == (None, False)
    assert sentence(found) == (
        "The champion gru (MASE 0.9) cannot be compared with the best baseline (ridge none): a score"
        " is no finite number."
    )
    json.dumps(found.model_dump(), allow_nan=False)


def test_a_champion_without_a_finite_score_beats_nobody():
    lost = crown(
        CHOICE, board(float("inf"), 0.9), float("inf"), pd.DataFrame(), 3, DIGESTS, "scaler.csv"
    )
    assert not lost.beats_baseline
    assert "gru (MASE none) cannot be compared" in sentence(lost)
    json.dumps(lost.model_dump(), allow_nan=False)


@pytest.mark.parametrize("wrong", [float("inf"), float("nan"), None])
def test_what_is_no_finite_number_is_never_chosen_and_never_written(wrong):
    cards = [card("gru", 0, 0.5), card("gru", 1, wrong), card("rnn", 0, wrong)]
    rows = [
        rehearsed("gru", "recurrent", 0, 0.5),
        rehearsed("gru", "recurrent", 1, wrong),
        rehearsed("ridge", "baseline", None, wrong),
        rehearsed("drift", "baseline", None, 9.0),
    ]
    found = choose(rows, cards)
    assert found.winner == "drift"  # a seed of gru has no score, so gru has none
    assert choose_network(*cards).mean_validation_score is None
    nothing = choose([rehearsed("gru", "recurrent", 0, wrong, wrong)], [card("gru", 0, 0.5)])
    assert nothing.winner == "gru"
    scored = pd.DataFrame(
        {"variant": ["drift", "gru", "ridge"], "mase": [2.0, wrong, float("inf")]}
    )
    winner = measure(found, scored, {"scaler.csv": "cc"} | digests_of("gru"), "scaler.csv")
    assert [winner.rows[name].score for name in ("drift", "gru", "ridge")] == [
        2.0,
        None,
        None,
    ]
    for record in (found, winner, nothing, choose_network(*cards)):
        json.dumps(record.model_dump(), allow_nan=False)


def digests_of(variant: str) -> dict[str, str]:
    files = [f"{variant}/seed_{n}.{end}" for n in (0, 1) for end in ("safetensors", "json")]
    return dict.fromkeys(files, "aa")
