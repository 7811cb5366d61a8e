import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn import functional

from unrolled.training.arrays import BLAS, NUMPY, in_numpy, on_one_thread

B, H = 3, 8
# Far into both tails: nothing may overflow there.
SCALES = st.sampled_from([0.1, 1.0, 30.0, 1000.0])


def drawn(seed: int, *shape: int, scale: float = 1.0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * scale


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "function",
    [torch.tanh, Tensor.tanh, Tensor.sigmoid, torch.relu, functional.logsigmoid],
    ids=lambda function: function.__name__,
)
@given(seed=st.integers(0, 99), scale=SCALES)
def test_a_function_of_each_element_is_torchs(function, seed, scale):
    ours = NUMPY.get(function) or NUMPY[function.__name__]
    x = drawn(seed, B, H, scale=scale)
    found = ours(x.numpy())
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, function(x).numpy(), rtol=1e-6, atol=2e-7)


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (functional.linear, [(B, H), (5, H), (5,)]),
        (torch.addmm, [(B, 5), (B, H), (H, 5)]),
        (torch.addcmul, [(B, H), (B, H), (B, H)]),
        (torch.lerp, [(B, H), (B, H), (B, H)]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@given(seed=st.integers(0, 99))
def test_a_function_of_three_is_torchs(function, shapes, seed):
    values = [drawn(seed + i, *shape) for i, shape in enumerate(shapes)]
    found = NUMPY[function](*(value.numpy() for value in values))
    np.testing.assert_allclose(found, function(*values).numpy(), rtol=1e-5, atol=1e-6)


def test_layers_are_normalised_as_torch_does():
    norm = nn.LayerNorm(H).requires_grad_(requires_grad=False)
    norm.weight.copy_(drawn(0, H))
    norm.bias.copy_(drawn(1, H))
    x = drawn(2, B, H, scale=5.0)
    found = in_numpy(norm, "forward")(x.numpy())
    np.testing.assert_allclose(found, norm(x).numpy(), rtol=1e-5, atol=1e-6)


def test_chunks_are_torchs():
    x = drawn(0, B, 3 * H)
    for ours, theirs in zip(NUMPY["chunk"](x.numpy(), 3, dim=1), x.chunk(3, dim=1), strict=True):
        np.testing.assert_array_equal(ours, theirs.numpy())


def test_products_run_on_one_thread_and_the_others_come_back():
    def seen() -> list[int]:
        return [library.get_num_threads() for library in BLAS]

    def fail() -> None:
        raise ZeroDivisionError

    with threadpool_limits(2, "blas"):
        before = seen()
        assert on_one_thread(seen)() == [1] * len(BLAS)
        with pytest.raises(ZeroDivisionError):
            on_one_thread(fail)()
        assert seen() == before
