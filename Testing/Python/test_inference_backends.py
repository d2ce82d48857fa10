"""What computes a network: devices, PyTorch, OpenVINO and its cache."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fixtures_inference import a_head, tiny_package

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.inference import (
    Ensemble,
    devices,
    memory,
    onnx_cache,
    openvino_backend,
    resolve_device,
)
from TumorSegRobustLib.inference.devices import find_gpu, resolve_backend, resolve_precision
from TumorSegRobustLib.inference.openvino_backend import OpenVinoBackend
from TumorSegRobustLib.inference.torch_backend import PassInterruptedError, TorchBackend
from TumorSegRobustLib.models import ModelPackage


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TUMORSEGROBUST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "onnx"


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> ModelPackage:
    return tiny_package(tmp_path_factory.mktemp("models") / "tiny", members=1)


@pytest.fixture(scope="module")
def volume() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(1, 1, 32, 48, 32)).astype(np.float32)


def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """As if these libraries were not installed."""
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)


class TestDevices:
    def test_cpu_is_always_there(self):
        assert resolve_device("cpu") == "cpu"

    def test_an_unknown_device_is_refused(self):
        with pytest.raises(UnusableInput, match="Device 'tpu' is unknown; use one of auto, cpu, cuda, mps"):
            resolve_device("tpu")

    @pytest.mark.parametrize(("device", "what"), [("cuda", "CUDA GPU"), ("mps", "Apple GPU")])
    def test_an_absent_gpu_is_refused_in_one_line(self, device, what, monkeypatch):
        import torch

        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
        with pytest.raises(UnusableInput, match=f"{device} is not available .* sees no {what}.*; use cpu"):
            resolve_device(device)

    def test_a_gpu_is_found_or_the_reason_why_it_cannot_be_used(self, monkeypatch):
        import torch

        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setattr(devices, "_may_have_gpu", lambda: False)
        assert find_gpu() == ("", "")
        monkeypatch.setattr(devices, "_may_have_gpu", lambda: True)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        assert find_gpu() == ("cuda", "")
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        kind, why_not = find_gpu()
        assert kind == "cuda"
        assert "sees no CUDA GPU" in why_not
        without(monkeypatch, "torch")
        assert "needs PyTorch, which is not installed" in find_gpu()[1]

    def test_a_gpu_number_that_does_not_exist_is_refused(self, monkeypatch):
        import torch

        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        assert resolve_device("cuda:0") == "cuda:0"
        with pytest.raises(UnusableInput, match="cuda:1 does not exist"):
            resolve_device("cuda:1")

    def test_openvino_is_chosen_on_the_cpu_and_torch_on_a_gpu(self):
        assert resolve_backend("auto", "cpu") == "openvino"
        assert resolve_backend("auto", "cuda") == "torch"
        assert resolve_backend("torch", "cpu") == "torch"

    def test_a_backend_that_cannot_be_used_is_refused(self, monkeypatch):
        with pytest.raises(UnusableInput, match="'tensorrt' is unknown"):
            resolve_backend("tensorrt", "cpu")
        with pytest.raises(UnusableInput, match="runs on the CPU, not on cuda"):
            resolve_backend("openvino", "cuda")
        without(monkeypatch, "openvino")
        assert resolve_backend("auto", "cpu") == "torch"
        with pytest.raises(UnusableInput, match="openvino is not installed"):
            resolve_backend("openvino", "cpu")

    def test_without_pytorch_the_cpu_and_openvino_are_used(self, monkeypatch):
        monkeypatch.setattr(devices, "_may_have_gpu", lambda: True)
        without(monkeypatch, "torch", "monai")
        assert resolve_device("auto") == "cpu"
        assert resolve_backend("auto", "cpu") == "openvino"
        with pytest.raises(UnusableInput, match=r"^Device cuda needs PyTorch and MONAI, .* or use cpu\.$"):
            resolve_device("cuda")
        with pytest.raises(UnusableInput, match=r"^Backend torch needs PyTorch and MONAI, .* openvino\.$"):
            resolve_backend("torch", "cpu")

    def test_without_both_what_to_install_is_said(self, monkeypatch):
        without(monkeypatch, "torch", "openvino")
        with pytest.raises(UnusableInput, match=r"neither is installed; install 'openvino'\.$"):
            resolve_backend("auto", "cpu")

    def test_the_reference_precision_is_the_rule_on_the_cpu(self):
        assert resolve_precision("auto", "cpu") == "f32"
        assert resolve_precision("auto", "cuda") == "f16"
        assert resolve_precision("bf16", "cpu") == "bf16"
        with pytest.raises(UnusableInput, match="'int4' is unknown"):
            resolve_precision("int4", "cpu")


class TestTorch:
    def test_a_pass_stops_between_layers_and_the_next_one_works(self, package, volume):
        import torch

        backend = TorchBackend(package, package.members[0], "cpu", "f32")
        expected = backend.run(volume)
        convolutions = [m for m in backend._network.modules() if isinstance(m, torch.nn.Conv3d)]
        calls: list[int] = []
        hooks = [conv.register_forward_hook(lambda *_: calls.append(1)) for conv in convolutions]
        stop = convolutions[0].register_forward_hook(lambda *_: backend.interrupt())
        with pytest.raises(PassInterruptedError):
            backend.run(volume)
        assert len(calls) == 1 < len(convolutions)
        for hook in [stop, *hooks]:
            hook.remove()
        np.testing.assert_array_equal(backend.run(volume), expected)

    def test_an_overflow_in_half_precision_is_computed_again_in_full(self, package, volume, monkeypatch):
        import torch

        backend = TorchBackend(package, package.members[0], "cpu", "bf16")
        original, passes = backend._forward, []

        def overflowing(images: torch.Tensor, *, half: bool) -> torch.Tensor:
            passes.append(half)
            return original(images, half=False) * (torch.inf if half else 1.0)

        monkeypatch.setattr(backend, "_forward", overflowing)
        reference = TorchBackend(package, package.members[0], "cpu", "f32").run(volume)
        np.testing.assert_array_equal(backend.run(volume), reference)
        assert passes == [True, False]


    def test_bf16_stays_near_the_reference(self, package, volume):
        rough = TorchBackend(package, package.members[0], "cpu", "bf16").run(volume)
        exact = TorchBackend(package, package.members[0], "cpu", "f32").run(volume)
        assert rough.dtype == np.float32
        assert 0 < np.abs(rough - exact).max() < 0.1

    @pytest.mark.parametrize("precision", ["f32", "f16"])
    def test_a_gpu_agrees_with_the_cpu(self, package, volume, precision):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no CUDA GPU on this machine")
        found = TorchBackend(package, package.members[0], "cuda", precision).run(volume)
        expected = TorchBackend(package, package.members[0], "cpu", "f32").run(volume)
        np.testing.assert_allclose(found, expected, atol=1e-3 if precision == "f32" else 0.05)


class TestOpenVino:
    def test_the_logits_agree_with_pytorch_for_any_size(self, package):
        backends = [OpenVinoBackend(package, package.members[0], "f32"),
                    TorchBackend(package, package.members[0], "cpu", "f32")]
        for shape in ((32, 32, 32), (48, 32, 64)):
            given = np.random.default_rng(1).normal(size=(1, 1, *shape)).astype(np.float32)
            found, expected = (backend.run(given) for backend in backends)
            assert found.shape == (1, 2, *shape)
            np.testing.assert_allclose(found, expected, atol=1e-4)

    def test_sums_stay_accurate_on_large_volumes(self, tmp_path):
        """One instance norm over 2 million voxels after a convolution; OpenVINO's own is wrong by 1e-3."""
        import torch

        from TumorSegRobustLib.inference.onnx_export import export_onnx

        torch.manual_seed(0)
        layers = torch.nn.Sequential(
            torch.nn.Conv3d(1, 16, 3, padding=1), torch.nn.InstanceNorm3d(16, affine=True)
        ).eval()
        given = np.random.default_rng(2).normal(3, 1.7, (1, 1, 128, 128, 128)).astype(np.float32)
        model = openvino_backend._compile(export_onnx(layers, 1), "f32")
        found = model.create_infer_request().infer({0: given})[0]
        with torch.inference_mode():
            expected = layers(torch.from_numpy(given)).numpy()
        assert np.abs(found - expected).max() < 2e-5

    def test_the_second_start_reads_the_cache_and_needs_no_torch(self, package, cache):
        OpenVinoBackend(package, package.members[0], "f32")
        assert len(list(cache.iterdir())) == 1
        code = """
import sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.inference import Ensemble
from TumorSegRobustLib.models import ModelPackage
voxels = np.random.default_rng(0).random((20, 20, 20), dtype=np.float32)
image = Image(voxels, Geometry(voxels.shape))
prediction = Ensemble(ModelPackage.load(sys.argv[1]), device="cpu").predict(image)
print(prediction.backend, "torch" in sys.modules, "monai" in sys.modules)
"""
        command = [sys.executable, "-c", code, str(package.folder)]
        root = Path(__file__).resolve().parents[2]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
        assert done.stdout.strip() == "openvino False False"

    def test_the_cache_is_read_without_pytorch_and_filled_only_with_it(self, package, volume, monkeypatch):
        expected = OpenVinoBackend(package, package.members[0], "f32").run(volume)
        without(monkeypatch, "torch", "monai")
        again = OpenVinoBackend(package, package.members[0], "f32")
        np.testing.assert_array_equal(again.run(volume), expected)
        monkeypatch.setattr(openvino_backend, "cached_onnx", lambda member: None)
        with pytest.raises(UnusableInput) as refusal:
            Ensemble(package, device="cpu").predict(a_head())
        assert str(refusal.value) == (
            "Converting the network BasicUNet for OpenVINO needs PyTorch and MONAI, which are not installed; "
            "install torch and monai, or choose another model."
        )

    def test_a_network_that_is_built_directly_leaves_no_cache(self, tmp_path, cache, monkeypatch):
        args = {"spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [4, 8], "strides": [2]}
        package = tiny_package(tmp_path / "p", members=1, network={"name": "UNet", "args": args})
        without(monkeypatch, "torch", "monai")
        assert Ensemble(package, device="cpu").predict(a_head()).backend == "openvino"
        assert not cache.exists()

    def test_a_damaged_cache_entry_is_not_used(self, package, cache, volume):
        expected = OpenVinoBackend(package, package.members[0], "f32").run(volume)
        [path] = cache.iterdir()
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(bytes(content))
        assert onnx_cache.cached_onnx(package.members[0]) is None
        again = OpenVinoBackend(package, package.members[0], "f32")
        np.testing.assert_array_equal(again.run(volume), expected)
        assert onnx_cache.cached_onnx(package.members[0]) is not None

    def test_a_cache_that_cannot_be_written_is_done_without(self, package, volume, tmp_path, monkeypatch):
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("TUMORSEGROBUST_CACHE", str(tmp_path / "file"))
        backend = OpenVinoBackend(package, package.members[0], "f32")
        assert backend.run(volume).shape == (1, 2, 32, 48, 32)

    def test_a_network_that_converts_wrongly_runs_in_pytorch_with_a_notice(self, package, monkeypatch):
        monkeypatch.setattr(openvino_backend, "_agrees", lambda *_: False)
        prediction = Ensemble(package, device="cpu").predict(a_head())
        assert prediction.backend == "torch"
        assert prediction.notices == (
            "Member member-0 runs in PyTorch, slower: OpenVINO cannot take it "
            "(the converted network does not agree with the original).",
        )

    def test_a_network_that_does_not_convert_is_refused_where_openvino_is_a_must(self, package, monkeypatch):
        monkeypatch.setattr(openvino_backend, "_agrees", lambda *_: False)
        with pytest.raises(UnusableInput, match=r"member-0 cannot run in OpenVINO .*; use backend torch"):
            Ensemble(package, device="cpu", backend="openvino").predict(a_head())


class TestTwoAtOnce:
    def test_memory_is_not_released_under_a_warm_up_that_runs_beside_a_prediction(self, package):
        backend = OpenVinoBackend(package, package.members[0], "f32")
        probe = np.zeros((1, len(package.channels), 96, 96, 96), dtype=np.float32)
        with ThreadPoolExecutor(max_workers=1) as pool:
            warm_up = pool.submit(lambda: [backend.run(probe) for _ in range(3)])
            while not warm_up.done():
                backend.release()
            assert len(warm_up.result()) == 3


class TestMemory:
    def test_estimates_follow_the_widest_layer_and_the_backend(self):
        network = {"name": "UNet", "args": {"channels": [16, 32]}}
        wide = {"name": "UNet", "args": {"channels": [32, 32]}}
        assert memory.bytes_per_voxel(wide, "torch") == 2 * memory.bytes_per_voxel(network, "torch")
        assert memory.bytes_per_voxel(network, "openvino") < memory.bytes_per_voxel(network, "torch")
        half = memory.bytes_per_voxel(network, "torch", half=True)
        assert half == pytest.approx(0.55 * memory.bytes_per_voxel(network, "torch"))

    def test_what_is_left_under_a_containers_limit_counts(self, monkeypatch):
        monkeypatch.setattr(memory, "_from_meminfo", lambda: 9000.0)
        monkeypatch.setattr(memory, "_from_cgroup", lambda: 1200.0)
        assert memory.available_mb() == 1200.0

    def test_a_system_that_tells_nothing_counts_as_small(self, monkeypatch):
        for name in ("_from_meminfo", "_from_cgroup", "_from_windows"):
            monkeypatch.setattr(memory, name, lambda: None)
        monkeypatch.setattr(memory.os, "sysconf", lambda name: (_ for _ in ()).throw(ValueError(name)))
        assert memory.available_mb() == 4000.0

    def test_the_peak_covers_what_was_just_allocated(self):
        block = np.ones(50_000_000, np.uint8)
        assert memory.peak_mb() > block.nbytes / 1e6
