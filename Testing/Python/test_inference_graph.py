"""Networks built in OpenVINO straight from their weights: PyTorch's answers, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fixtures_inference import tiny_package

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.inference.openvino_backend import OpenVinoBackend, _compile
from TumorSegRobustLib.inference.openvino_graph import build_graph, can_build
from TumorSegRobustLib.models import ModelPackage, build_network, list_packages

MOST = 2e-4  # in probability; 1e-3 is what a conversion may differ by
AFFINE = ["instance", {"affine": True}]
SHAPES = ((32, 32, 32), (48, 32, 64))


def unet(head: int | None = None, **changed: Any) -> dict[str, Any]:
    args = {
        "spatial_dims": 3, "in_channels": 2, "out_channels": 3, "channels": [4, 6, 8], "strides": [2, 2],
        "num_res_units": 2, "norm": AFFINE, **changed,
    }  # fmt: skip
    return {"name": "UNet", "args": args} | ({} if head is None else {"head": head})


SETTINGS = {
    "as shipped": unet(head=3, out_channels=8, channels=[8, 12, 16, 20, 24], strides=[2, 2, 2, 2]),
    "no residual units": unet(num_res_units=0),
    "no residual units, with a head": unet(num_res_units=0, head=2),
    "one residual unit": unet(num_res_units=1),
    "three residual units": unet(num_res_units=3),
    "two levels": unet(channels=[4, 8], strides=[2]),
    "norm without scales": unet(norm="INSTANCE"),
    "another epsilon": unet(norm=("instance", {"affine": True, "eps": 1e-3})),
    "strides of one": unet(strides=[1, 2], channels=[4, 4, 8]),
    "strides by axis": unet(strides=[[1, 2, 2], 2]),
    "other kernels": unet(kernel_size=[1, 3, 3], up_kernel_size=5),
    "no bias": unet(bias=False, head=1),
    "dropout is not for inference": unet(dropout=0.2),
    "without dropout in the order": unet(adn_ordering="NA"),
    "one slope per channel": unet(
        channels=[4, 4], strides=[2], out_channels=4, act=["prelu", {"num_parameters": 4}], head=2
    ),
}


def random_weights(network: dict[str, Any], seed: int = 0) -> Any:
    """The network in PyTorch; scales, shifts and slopes too are unlike those it starts with."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        built = build_network(network)
        for parameter in built.parameters():
            if parameter.ndim == 1:
                parameter.data = parameter.data + 0.3 * torch.randn(parameter.shape)
    return built


def arrays_of(network: Any) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def probability(logits: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-logits.astype(np.float64)))


def difference(network: Any, infer: Any, given: np.ndarray) -> float:
    import torch

    with torch.inference_mode():
        expected = network(torch.from_numpy(given)).numpy()
    found = infer(given)
    assert found.shape == expected.shape
    return float(np.abs(probability(found) - probability(expected)).max())


@pytest.mark.parametrize("name", SETTINGS)
def test_random_networks_answer_as_in_pytorch_for_any_size(name):
    description = SETTINGS[name]
    network = random_weights(description)
    model = _compile(build_graph(description, arrays_of(network)), "f32")
    rng = np.random.default_rng(1)
    for shape in SHAPES:
        given = rng.normal(size=(1, 2, *shape)).astype(np.float32)
        assert difference(network, lambda x: model.create_infer_request().infer({0: x})[0], given) < MOST


def test_a_batch_is_answered_scan_by_scan():
    description = unet(head=1)
    model = _compile(build_graph(description, arrays_of(random_weights(description))), "f32")
    given = np.random.default_rng(2).normal(size=(2, 2, 32, 32, 32)).astype(np.float32)
    request = model.create_infer_request()
    both = request.infer({0: given})[0].copy()
    each = [request.infer({0: one[None]})[0].copy() for one in given]
    np.testing.assert_allclose(both, np.concatenate(each), atol=1e-5)


def test_half_precision_weights_are_widened():
    description = unet(head=1)
    network = random_weights(description).half().float()
    halves = {name: array.astype(np.float16) for name, array in arrays_of(network).items()}
    model = _compile(build_graph(description, halves), "f32")
    given = np.random.default_rng(3).normal(size=(1, 2, 32, 32, 32)).astype(np.float32)
    assert difference(network, lambda x: model.create_infer_request().infer({0: x})[0], given) < MOST


def test_sums_stay_accurate_on_large_volumes():
    """Nearly 2 million voxels far from zero in a network of two levels; OpenVINO's own norm errs by 1e-3."""
    description = unet(channels=[8, 8], strides=[2], num_res_units=0, in_channels=1, head=1)
    network = random_weights(description)
    model = _compile(build_graph(description, arrays_of(network)), "f32")
    given = np.random.default_rng(4).normal(3, 1.7, (1, 1, 112, 144, 112)).astype(np.float32)
    assert difference(network, lambda x: model.create_infer_request().infer({0: x})[0], given) < 2e-5


# Those that take images; the extent of a click needs no graph (test_review_extent).
SHIPPED = [
    (package, member)
    for package in list_packages(kind=None)
    for member in package.members
    if member.network["name"] != "FullyConnectedNet"
]


@pytest.mark.parametrize(("package", "member"), SHIPPED, ids=[f"{p.id}-{m.name}" for p, m in SHIPPED])
def test_every_shipped_network_is_built_directly_and_agrees_with_pytorch(package, member):
    assert can_build(member.network)
    backend, network = OpenVinoBackend(package, member, "f32"), package.load_network(member)
    shape = (len(package.channels), 32, 48, 64)
    given = np.random.default_rng(5).normal(size=(1, *shape)).astype(np.float32)
    assert difference(network, backend.run, given) < MOST


@pytest.mark.parametrize(
    "changed",
    [
        {"act": "RELU"},
        {"act": None},
        {"norm": "BATCH"},
        {"norm": None},
        {"norm": ["instance", {"track_running_stats": True}]},
        {"adn_ordering": "AND"},
        {"spatial_dims": 2},
        {"strides": [2, 2, 2]},
        {"kernel_size": 2},
        {"strides": 2},
        {"a_new_argument": 1},
    ],
    ids=str,
)
def test_what_the_builder_does_not_know_is_left_to_the_conversion(changed):
    assert can_build(unet())
    assert not can_build(unet(**changed))


def test_another_network_is_left_to_the_conversion():
    assert not can_build({"name": "DynUNet", "args": unet()["args"]})


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    return arrays_of(random_weights(unet(head=1)))


class TestWeightsThatDoNotFit:
    def test_a_missing_array_is_named(self, arrays):
        del (fewer := dict(arrays))["0.model.0.conv.unit1.conv.weight"]
        with pytest.raises(UnusableInput, match=r"^0\.model\.0\.conv\.unit1\.conv\.weight is missing$"):
            build_graph(unet(head=1), fewer)

    def test_an_array_of_another_shape_is_named(self, arrays):
        with pytest.raises(UnusableInput, match=r"^2\.weight has the shape \(1, 3, .*\) instead of \(2, 3,"):
            build_graph(unet(head=2), arrays)

    def test_an_array_without_a_place_is_named(self, arrays):
        with pytest.raises(UnusableInput, match=r"^3\.weight has no place in the network$"):
            build_graph(unet(head=1), {**arrays, "3.weight": np.zeros(1, np.float32)})

    def test_the_package_is_named_by_the_backend(self, tmp_path):
        package: ModelPackage = tiny_package(tmp_path / "p", members=1, network=unet(in_channels=1, head=2))
        described = {**package.members[0].network, "head": 1}
        member = type(package.members[0])(**{**vars(package.members[0]), "network": described})
        with pytest.raises(UnusableInput, match=r"member-0\.safetensors does not fit UNet \(2\.weight has"):
            OpenVinoBackend(package, member, "f32")
