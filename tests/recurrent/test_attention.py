import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from unrolled.recurrent.attention import Attention, last_state_attention

T, B, H = 6, 3, 8


def leaf(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def close(a, b):
    torch.testing.assert_close(a, b, atol=1e-12, rtol=0)


def test_last_state_attention_equals_its_equations_in_numpy():
    outputs, last = torch.randn(T, B, H).double(), torch.randn(B, H).double()
    context, weights = last_state_attention(outputs, last)
    for b in range(B):
        scores = np.array([outputs[t, b].numpy() @ last[b].numpy() for t in range(T)])
        expected = np.exp(scores) / np.exp(scores).sum()
        np.testing.assert_allclose(weights[:, b], expected, atol=1e-12)
        np.testing.assert_allclose(
            context[b], sum(w * outputs[t, b].numpy() for t, w in enumerate(expected)), atol=1e-12
        )


@given(lengths=st.lists(st.integers(0, T), min_size=B, max_size=B), filler=st.floats(-1e6, 1e6))
def test_padding_gets_no_attention_and_no_gradient(lengths, filler):
    torch.manual_seed(0)
    outputs, last = torch.full((T, B, H), filler).double(), leaf(B, H)
    for b, length in enumerate(lengths):
        outputs[:length, b] = torch.randn(length, H).double()
    outputs.requires_grad_()
    attention = Attention(H, heads=2).double()
    query = leaf(1, B, H)
    context, weights = last_state_attention(outputs, last, torch.tensor(lengths))
    heads, head_weights = attention(query, outputs, torch.tensor(lengths))
    (context.square().sum() + heads.square().sum()).backward()
    for b, length in enumerate(lengths):
        assert not weights[length:, b].any()
        assert not head_weights[b, :, :, length:].any()
        assert not outputs.grad[length:, b].any()
        assert torch.isfinite(outputs.grad).all()
        if length:
            alone = outputs[:length, b : b + 1]
            close(context[b], last_state_attention(alone, last[b : b + 1])[0][0])
            close(heads[:, b], attention(query[:, b : b + 1], alone)[0][:, 0])
            close(weights[:, b].sum(), torch.tensor(1.0).double())
        else:
            assert not context[b].any()


@pytest.mark.parametrize("heads", [1, 2, 8])
@pytest.mark.parametrize("causal", [False, True])
def test_attention_equals_torchs_in_context_weights_and_gradients(heads, causal):
    ours = Attention(H, heads, causal=causal).double()
    theirs = nn.MultiheadAttention(H, heads).double()
    theirs.load_state_dict(ours.state_dict())
    nn.init.normal_(ours.in_proj_bias)
    theirs.load_state_dict(ours.state_dict())
    x = leaf(T, B, H)
    lengths = torch.tensor([T, 4, 1])
    padding = torch.arange(T) >= lengths[:, None]
    mask = torch.ones(T, T, dtype=torch.bool).triu(1) if causal else None
    context, weights = ours(x, x, lengths)
    expected, expected_weights = theirs(
        x, x, x, key_padding_mask=padding, attn_mask=mask, average_attn_weights=False
    )
    close(context, expected)
    close(weights, expected_weights)
    for a, b in zip(
        torch.autograd.grad(context.square().sum(), (x, *ours.parameters())),
        torch.autograd.grad(expected.square().sum(), (x, *theirs.parameters())),
        strict=True,
    ):
        torch.testing.assert_close(a, b, atol=1e-11, rtol=0)


def test_causal_attention_never_looks_ahead():
    attention = Attention(H, heads=2, causal=True).double()
    x = torch.randn(T, B, H).double()
    before, weights = attention(x, x)
    assert (weights.triu(1) == 0).all()
    for t in range(1, T):
        changed = x.clone()
        changed[t:] += 1
        close(attention(changed, changed)[0][:t], before[:t])


@given(cut=st.integers(1, T - 1))
def test_a_stream_of_queries_gets_what_the_whole_gets(cut):
    torch.manual_seed(0)
    attention = Attention(H, heads=4, causal=True).double()
    x = torch.randn(T, B, H).double()
    whole, weights = attention(x, x)
    rest, rest_weights = attention(x[cut:], x)
    close(rest, whole[cut:])
    close(rest_weights, weights[:, :, cut:])
    close(attention(x[:cut], x[:cut])[0], whole[:cut])


@pytest.mark.parametrize("causal", [False, True])
def test_attention_exports_copies_and_pickles(causal):
    attention = Attention(H, heads=2, causal=causal)
    x, lengths = torch.randn(T, B, H), torch.tensor([T, 2, 0])
    expected, _ = attention(x, x, lengths)
    program = torch.export.export(attention, (x, x, lengths)).module()
    twins = (program, copy.deepcopy(attention), pickle.loads(pickle.dumps(attention)))
    for twin in twins:
        torch.testing.assert_close(twin(x, x, lengths)[0], expected, atol=1e-6, rtol=0)


def test_heads_that_do_not_divide_and_queries_without_outputs_are_refused():
    with pytest.raises(ValueError, match="heads") as error:
        Attention(8, heads=3)
    assert str(error.value) == "3 heads do not divide hidden 8; choose a divisor of it, such as 2"
    with pytest.raises(ValueError, match="causal") as error:
        Attention(H, causal=True)(torch.zeros(3, B, H), torch.zeros(2, B, H))
    assert str(error.value) == (
        "causal attention got 3 queries for 2 outputs; expected at most one an output"
    )
