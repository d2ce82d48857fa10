"""A network as an OpenVINO graph, straight from its description and weights: no PyTorch, no conversion.

Knows MONAI's `UNet` with instance norm and PReLU (residual units: Kerfoot et al. 2019, "Left-ventricle
quantification using residual U-Net") and the `head` of `models.networks`, which is what our packages hold.
Every array of the weights must find its place and no place may stay empty, as in PyTorch's strict loading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from TumorSegRobustLib.errors import UnusableInput

from .openvino_import import import_openvino

Node = Any  # a node or output of openvino, whose operators are not typed
Sides = tuple[int, int, int]

_ARGUMENTS = frozenset({
    "spatial_dims", "in_channels", "out_channels", "channels", "strides", "kernel_size", "up_kernel_size",
    "num_res_units", "act", "norm", "dropout", "bias", "adn_ordering",
})  # fmt: skip
_ORDERS = ("NDA", "NAD", "DNA", "NA")  # norm before activation; dropout does nothing here
_ONES = [1, 1, 1]
_SIDE_K, _SIDES_JI = np.array([2]), np.array([3, 4])


def can_build(network: Mapping[str, Any]) -> bool:
    """Whether `build_graph` knows this description (of the form that `models.build_network` takes)."""
    args = network["args"]
    try:
        return (
            network["name"] == "UNet"
            and set(args) <= _ARGUMENTS
            and args["spatial_dims"] == 3
            and args.get("adn_ordering", "NDA") in _ORDERS
            and len(args["channels"]) >= 2
            and len(args["strides"]) == len(args["channels"]) - 1
            and all(side % 2 for side in _sides(args.get("kernel_size", 3)))
            and all(side % 2 for side in _sides(args.get("up_kernel_size", 3)))
            and _name_of(args.get("act", "prelu")) == "prelu"
            and _name_of(args.get("norm", "instance")) == "instance"
            and set(_options_of(args.get("norm", "instance"))) <= {"affine", "eps"}
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return False  # nonsense; who builds it in PyTorch says why


def build_graph(network: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Any:
    """An `openvino.Model`: float32 (n, channels, k, j, i) -> logits (n, outputs, k, j, i), all sizes free.

    Only for what `can_build` knows. arrays: the weights by their names in PyTorch; half precision is widened.
    UnusableInput (the bare reason) when they do not fit the description.
    """
    openvino = import_openvino()
    opset13 = openvino.opset13
    args = network["args"]
    weights = _Weights(arrays)
    layers = _Layers(opset13, weights, args)
    image = opset13.parameter([-1, int(args["in_channels"]), -1, -1, -1], np.float32, name="image")
    if "head" in network:
        features, outputs = int(args["out_channels"]), int(network["head"])
        body = layers.prelu(_UNet(layers, args).on(image, "0.model"), "1", features)
        logits = layers.convolution(body, "2", (features, outputs), (1, 1, 1), (1, 1, 1), bias=True)
    else:
        logits = _UNet(layers, args).on(image, "model")
    weights.refuse_unused()
    return openvino.Model([opset13.result(logits, name="logits")], [image], "network")


class _Weights:
    """The arrays by name; remembers which were asked for."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._arrays = arrays
        self._used: set[str] = set()

    def take(self, name: str, *shapes: tuple[int, ...]) -> np.ndarray:
        """float32, of one of these shapes."""
        if name not in self._arrays:
            raise UnusableInput(f"{name} is missing")
        array = self._arrays[name]
        if array.shape not in shapes:
            raise UnusableInput(f"{name} has the shape {array.shape} instead of {shapes[0]}")
        self._used.add(name)
        return np.ascontiguousarray(array, dtype=np.float32)

    def refuse_unused(self) -> None:
        unused = sorted(set(self._arrays) - self._used)
        if unused:
            raise UnusableInput(f"{unused[0]} has no place in the network")


class _Layers:
    """The operators. `widths`: channels before and after; `name`: that of the weights."""

    def __init__(self, operators: Any, weights: _Weights, args: Mapping[str, Any]) -> None:
        norm = _options_of(args.get("norm", "instance"))
        self._ov = operators
        self._weights = weights
        self._bias = bool(args.get("bias", True))
        self._affine, self._eps = bool(norm.get("affine", False)), np.float32(norm.get("eps", 1e-5))

    def convolution(
        self, x: Node, name: str, widths: tuple[int, int], kernel: Sides, strides: Sides, *,
        bias: bool | None = None,
    ) -> Node:  # fmt: skip
        """Padded so that only `strides` change the size."""
        before, after = widths
        filters = self._weights.take(f"{name}.weight", (after, before, *kernel))
        pads = [side // 2 for side in kernel]
        x = self._ov.convolution(x, filters, list(strides), pads, pads, _ONES)
        return self._biased(x, name, after, self._bias if bias is None else bias)

    def enlarging(self, x: Node, name: str, widths: tuple[int, int], kernel: Sides, strides: Sides) -> Node:
        """A transposed convolution: exactly `strides` times as large."""
        filters = self._weights.take(f"{name}.weight", (*widths, *kernel))
        pads, more = [side // 2 for side in kernel], [step - 1 for step in strides]
        x = self._ov.convolution_backprop_data(
            x, filters, list(strides), None, pads, pads, _ONES, "explicit", more
        )
        return self._biased(x, name, widths[1], self._bias)

    def _biased(self, x: Node, name: str, width: int, bias: bool) -> Node:
        return self._ov.add(x, self._per_channel(f"{name}.bias", width)) if bias else x

    def prelu(self, x: Node, name: str, width: int) -> Node:
        """One slope for all channels, or one for each."""
        return self._ov.prelu(x, self._weights.take(f"{name}.weight", (1,), (width,)))

    def norm(self, x: Node, name: str, width: int) -> Node:
        """Instance norm whose sums stay accurate on large volumes: see `onnx_export._ExactInstanceNorm`."""
        ov = self._ov
        depth = ov.convert(ov.gather(ov.shape_of(x), _SIDE_K, np.int64(0)), np.float32)
        centred = ov.subtract(x, self._mean(x, depth))
        variance = self._mean(ov.multiply(centred, centred), depth)
        spread = ov.divide(np.float32(1), ov.sqrt(ov.add(variance, self._eps)))
        if not self._affine:
            return ov.multiply(centred, spread)
        scale, shift = self._per_channel(f"{name}.weight", width), self._per_channel(f"{name}.bias", width)
        return ov.add(ov.multiply(centred, ov.multiply(spread, scale)), shift)

    def _mean(self, x: Node, depth: Node) -> Node:
        """Over planes, then over their sum; two means in a row would be merged into one."""
        planes = self._ov.reduce_mean(x, _SIDES_JI, keep_dims=True)
        return self._ov.divide(self._ov.reduce_sum(planes, _SIDE_K, keep_dims=True), depth)

    def joined(self, *parts: Node) -> Node:
        return self._ov.concat(list(parts), axis=1)

    def sum(self, one: Node, other: Node) -> Node:
        return self._ov.add(one, other)

    def _per_channel(self, name: str, width: int) -> np.ndarray:
        return self._weights.take(name, (width,)).reshape(1, -1, 1, 1, 1)


class _UNet:
    """How the layers are put together."""

    def __init__(self, layers: _Layers, args: Mapping[str, Any]) -> None:
        self._layers = layers
        self._kernel = _sides(args.get("kernel_size", 3))
        self._up_kernel = _sides(args.get("up_kernel_size", 3))
        self._units = int(args.get("num_res_units", 0))
        self._widths = (int(args["in_channels"]), int(args["out_channels"]))
        self._channels = [int(width) for width in args["channels"]]
        self._strides = [_sides(step) for step in args["strides"]]

    def on(self, image: Node, name: str) -> Node:
        return self._level(image, name, self._widths, 0)

    def _level(self, x: Node, name: str, widths: tuple[int, int], level: int) -> Node:
        """Down, everything deeper beside a shortcut, up again."""
        own, strides, inner = self._channels[level], self._strides[level], f"{name}.1.submodule"
        shortcut = self._down(x, f"{name}.0", (widths[0], own), strides)
        if level + 1 < len(self._strides):
            deep_width = own
            deep = self._level(shortcut, inner, (own, own), level + 1)
        else:
            deep_width = self._channels[level + 1]
            deep = self._down(shortcut, inner, (own, deep_width), (1, 1, 1))
        x = self._layers.joined(shortcut, deep)
        return self._up(x, f"{name}.2", (own + deep_width, widths[1]), strides, last=level == 0)

    def _down(self, x: Node, name: str, widths: tuple[int, int], strides: Sides) -> Node:
        if self._units == 0:
            return self._block(x, name, widths, strides)
        return self._residual(x, name, widths, strides, self._units)

    def _up(self, x: Node, name: str, widths: tuple[int, int], strides: Sides, *, last: bool) -> Node:
        """The network's last convolution has neither norm nor activation."""
        residual = self._units > 0
        first = f"{name}.0" if residual else name
        x = self._layers.enlarging(x, f"{first}.conv", widths, self._up_kernel, strides)
        if residual or not last:
            x = self._activated(x, first, widths[1])
        if not residual:
            return x
        return self._residual(x, f"{name}.1", (widths[1], widths[1]), (1, 1, 1), 1, bare=last)

    def _residual(
        self, x: Node, name: str, widths: tuple[int, int], strides: Sides, units: int, *, bare: bool = False
    ) -> Node:
        """`units` blocks, and beside them at most one convolution that makes the sizes fit."""
        before, after = widths
        y = x
        for unit in range(units):
            first, bare_now = unit == 0, bare and unit == units - 1
            inside = (before if first else after, after)
            y = self._block(y, f"{name}.conv.unit{unit}", inside, strides if first else (1, 1, 1), bare_now)
        strided = max(strides) > 1
        if strided or before != after:
            kernel = self._kernel if strided else (1, 1, 1)
            x = self._layers.convolution(x, f"{name}.residual", widths, kernel, strides)
        return self._layers.sum(y, x)

    def _block(
        self, x: Node, name: str, widths: tuple[int, int], strides: Sides, bare: bool = False
    ) -> Node:
        x = self._layers.convolution(x, f"{name}.conv", widths, self._kernel, strides)
        return x if bare else self._activated(x, name, widths[1])

    def _activated(self, x: Node, name: str, width: int) -> Node:
        return self._layers.prelu(self._layers.norm(x, f"{name}.adn.N", width), f"{name}.adn.A", width)


def _sides(value: int | Sequence[int]) -> Sides:
    k, j, i = (value,) * 3 if isinstance(value, int) else value
    return int(k), int(j), int(i)


def _name_of(layer: Any) -> str:
    """A layer is named "prelu" or ("prelu", {options}), in capitals or not."""
    return (layer if isinstance(layer, str) else layer[0]).lower()


def _options_of(layer: Any) -> Mapping[str, Any]:
    return {} if isinstance(layer, str) or len(layer) < 2 else layer[1]
