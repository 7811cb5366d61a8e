"""A network's own equations on numpy arrays, for steps so small that the calls are what costs.

On one text a call of numpy takes half of what the same call of torch takes, and its product of one
row with a matrix is as fast as the memory. Nothing is written a second time for it: torch.fx
records what a method of a module calls, and each call is replaced by numpy's.

>>> linear = nn.Linear(3, 2).requires_grad_(requires_grad=False)
>>> x = np.ones((1, 3), np.float32)
>>> np.allclose(in_numpy(linear, "forward")(x), linear(torch.from_numpy(x)), atol=1e-6)
True
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]
from torch import fx, nn
from torch.nn import functional

P = ParamSpec("P")
R = TypeVar("R")
Array = npt.NDArray[np.float32]


class NotInNumpy(Exception):
    """A method that numpy is not known to compute."""


HALF = np.array(0.5, np.float32)  # an array: a Python number is converted at every call
BLAS = ThreadpoolController().select(user_api="blas").lib_controllers


def in_numpy(module: nn.Module, method: str) -> Callable[..., Any]:
    """Make a method of a module a function of arrays, which reads the module's own weights.

    Args:
        module: its parameters want no gradient.
        method: of tensors (B, ...), which never asks for their values or shapes, and calls only
            operators and what `NUMPY` has.

    Raises:
        NotInNumpy: it does something else.
    """
    tracer = _Tracer()
    tracer.traced_func_name = method
    try:
        graph = tracer.trace(module)
    except (fx.proxy.TraceError, RuntimeError, TypeError) as error:  # it asks for values or shapes
        raise NotInNumpy(f"{type(module).__name__}.{method} cannot be recorded: {error}") from error
    for node in graph.nodes:
        if node.target in NUMPY:
            node.op, node.target = "call_function", NUMPY[node.target]
        elif node.op.startswith("call_") and getattr(node.target, "__module__", "") != "_operator":
            raise NotInNumpy(f"{type(module).__name__}.{method} calls {node.target}")
    tensors = itertools.chain(module.named_parameters(), module.named_buffers())
    return fx.GraphModule({name: tensor.numpy() for name, tensor in tensors}, graph).forward


def on_one_thread(function: Callable[P, R]) -> Callable[P, R]:
    """Keep numpy's products within a function on one thread.

    They are small, and a second thread that waits for a busy core makes them a hundred times
    slower. threadpoolctl's own limit does the same, but takes 7 µs a call to describe the libraries.
    """

    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        before = [library.get_num_threads() for library in BLAS]
        try:
            for library in BLAS:
                library.set_num_threads(1)
            return function(*args, **kwargs)
        finally:
            for library, threads in zip(BLAS, before, strict=True):
                library.set_num_threads(threads)

    return limited


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Look into torch's own modules too."""
        return False


def _linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    product: Array = x.dot(weight.T)  # not @, which multiplies one row as if it were many
    return product if bias is None else product + bias


def _addmm(x: Array, h: Array, weight: Array) -> Array:
    return x + h.dot(weight)


def _addcmul(x: Array, a: Array, b: Array) -> Array:
    return x + a * b


def _lerp(a: Array, b: Array, weight: Array) -> Array:
    return a + weight * (b - a)


def _sigmoid(x: Array) -> Array:
    # By tanh, since exp overflows; in place, since a gate's new arrays took a third of its time.
    y: Array = x * HALF
    np.tanh(y, y)
    y *= HALF
    y += HALF
    return y


def _relu(x: Array) -> Array:
    return np.maximum(x, 0)


def _logsigmoid(x: Array) -> Array:
    return -np.logaddexp(0, -x)


def _cat(arrays: list[Array], dim: int) -> Array:
    return np.concatenate(arrays, axis=dim)


def _split(x: Array, sizes: list[int], dim: int) -> list[Array]:
    return np.split(x, np.cumsum(sizes[:-1]), axis=dim)


def _flatten(x: Array, start: int) -> Array:
    return x.reshape(*x.shape[:start], -1)


def _unflatten(x: Array, dim: int, sizes: tuple[int, ...]) -> Array:
    return x.reshape(*x.shape[:dim], *sizes, *x.shape[dim:][1:])


def _chunk(x: Array, chunks: int, dim: int) -> Array:
    """(B, G * H) -> (G, B, H): along the last axis, whichever way `dim` names it."""
    return x.reshape(len(x), chunks, -1).swapaxes(0, 1)


def _layer_norm(x: Array, shape: tuple[int, ...], weight: Array, bias: Array, eps: float) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + eps) * weight + bias


NUMPY: dict[Any, Callable[..., Any]] = {
    functional.linear: _linear,
    functional.layer_norm: _layer_norm,
    functional.logsigmoid: _logsigmoid,
    torch.addmm: _addmm,
    torch.addcmul: _addcmul,
    torch.lerp: _lerp,
    torch.tanh: np.tanh,
    torch.relu: _relu,
    torch.where: np.where,
    torch.maximum: np.maximum,
    torch.cat: _cat,
    "exp": np.exp,
    "neg": np.negative,
    "cos": np.cos,
    "sin": np.sin,
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "t": np.transpose,
    "chunk": _chunk,
    "split": _split,
    "flatten": _flatten,
    "unflatten": _unflatten,
    "abs": np.abs,
    "clamp": np.clip,
}
