"""`Ensemble`: every member of a package over one scan, fused into a `Prediction`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.models import Member, ModelPackage, padded_shape
from TumorSegRobustLib.progress import Progress

from .appearance import AppearanceSettings, fit_to_scan
from .backend import Backend
from .channels import confirmed_without, match_channels
from .devices import resolve_backend, resolve_device, resolve_precision
from .fusion import CORE, Fusion, core_logits, tumour_logits
from .inputs import NetworkInput, network_input
from .memory import available_mb, bytes_per_voxel, peak_mb
from .postprocess import remove_doubtful_components
from .prediction import Prediction
from .seen import Watch
from .windows import Shape, pass_memory_mb, run_network, window_plans
from .worker import Worker

if TYPE_CHECKING:
    import torch

MEMORY_LIMIT_MB = 3000.0  # the product's budget for the whole process
_LIBRARIES_MB = 700.0  # interpreter, PyTorch and OpenVINO before any scan (measured 250 to 700)
_LEAST_BUDGET_MB = 300.0
_SHARE_OF_AVAILABLE = 0.6
_POLL_SECONDS = 0.05


class Ensemble:
    """Runs a package on a device. Creating it is cheap; weights load at the first `warm_up` or `predict`.

    Safe to share between threads: predictions take turns, and a warm-up may run beside one.
    """

    def __init__(
        self,
        package: ModelPackage,
        device: str = "auto",
        backend: str = "auto",
        precision: str = "auto",
        memory_limit_mb: float = MEMORY_LIMIT_MB,
    ) -> None:
        """device: auto, cpu, cuda, mps; backend: auto, torch, openvino; precision: auto, f32, bf16.

        UnusableInput when what was asked for is not there. `memory_limit_mb` bounds the windows' size.
        """
        self.package = package
        self.device = resolve_device(device)
        self._backend = resolve_backend(backend, self.device)
        self._may_fall_back = backend == "auto"
        self._precision = resolve_precision(precision, self.device)
        self._limit_mb = memory_limit_mb
        self._backends: dict[str, Backend] = {}
        self._backend_notices: dict[str, str] = {}
        self._build_lock = threading.Lock()
        self._run_lock = threading.Lock()
        self._worker = Worker()

    def with_networks(self, networks: Mapping[str, torch.nn.Module]) -> Ensemble:
        """Another ensemble of the same package, in PyTorch, with these networks for the members they name."""
        from .torch_backend import TorchBackend

        other = Ensemble(self.package, self.device, "torch", self._precision, self._limit_mb)
        for member in self.package.members:
            if member.name in networks:
                network = networks[member.name]
                other._backends[member.name] = TorchBackend(
                    self.package, member, self.device, self._precision, network
                )
        return other

    def warm_up(self) -> None:
        """Load every member and run it once on a small input, so that the first prediction does not wait."""
        progress = Progress()
        probe = np.zeros((1, len(self.package.channels), *padded_shape((1, 1, 1))), dtype=np.float32)
        for member in self.package.members:
            backend = self._load(member)
            self._worker.call(partial(backend.run, probe), progress)

    def backend_of(self, member: Member) -> Backend:
        """The member's network, ready to run (loaded at the first call), for other inputs than scans."""
        return self._load(member)

    def estimate_memory_mb(self, geometry: Geometry) -> float:
        """Expected peak of the process while predicting a scan on this grid, libraries included."""
        native_mb = self._native_mb(geometry)
        budget_mb = self._budget_mb(native_mb)
        passes = []
        for member in self.package.members:
            shape = padded_shape(geometry.with_spacing(member.spacing_mm).shape)
            per_voxel = bytes_per_voxel(member.network, self._backend, half=self._precision != "f32")
            needs = [self._pass_mb(shape, window, per_voxel) for window in self._plans(shape)]
            passes.append(next((need for need in needs if need <= budget_mb), needs[-1]))
        return _LIBRARIES_MB + native_mb + max(passes)

    def predict(self, image: Image | Mapping[str, Image], progress: Progress | None = None) -> Prediction:
        """Contour one scan (or {channel: scan}); everything comes back on the first scan's grid.

        Raises UnusableInput for channels or memory that do not suffice, Cancelled within 1 s of `cancel`.
        """
        progress = progress or Progress()
        with self._turn(progress):
            return self._predict(image, progress)

    def _predict(self, image: Image | Mapping[str, Image], progress: Progress) -> Prediction:
        clock = _Clock()
        channels, notices = self._worker.call(partial(match_channels, self.package, image), progress)
        geometry = next(one for one in channels if one is not None).geometry
        self._refuse_if_too_large(geometry)
        calibration = self.package.calibration
        temperature, bias = float(calibration.get("temperature", 1.0)), float(calibration.get("bias", 0.0))
        appearance = AppearanceSettings.of(calibration)
        members = self.package.members
        views = self._views
        fusion = Fusion(geometry, len(members) * len(views), temperature, bias)
        core = Fusion(geometry, 0, 1.0, 0.0) if self._sees_core(channels) else None
        dropped = confirmed_without(self.package, [one is not None for one in channels])
        watch = Watch(self.package, channels)
        inputs: dict[tuple[float, float, float], NetworkInput] = {}
        names: list[str] = []
        for number, member in enumerate(members):
            start, stop = (0.02 + 0.94 * n / len(members) for n in (number, number + 1))
            part = progress.part(start, stop)
            part.report(0.0, f"Model {number + 1} of {len(members)}")
            with clock.stage("load"):
                backend = self._worker.call(partial(self._load, member), progress)
            names.append(backend.name)
            with clock.stage("prepare"):
                if member.spacing_mm not in inputs:
                    task = partial(network_input, channels, member.spacing_mm, self.package.preprocessing)
                    inputs[member.spacing_mm] = self._worker.call(task, progress)
                given = inputs[member.spacing_mm]
                looks = [given, given.without(dropped)] if dropped else [given]
            for view, mirrored in enumerate(views):
                step = part.part(*(0.1 + 0.75 * n / len(views) for n in (view, view + 1)))
                steps = [step.part(n / len(looks), (n + 1) / len(looks)) for n in range(len(looks))]
                with clock.stage("networks"):
                    answers = [
                        self._run(backend, member, look, step, notices, geometry, mirrored)
                        for look, step in zip(looks, steps, strict=True)
                    ]
                with clock.stage("fuse"):
                    logits = answers[0]
                    tumour = np.minimum.reduce(
                        [tumour_logits(one, calibration, self.package.outputs) for one in answers]
                    )
                    watch.add(given, logits, member.weight)
                    fusion.add(tumour, given.grid, member.weight, part)
                    if core is not None:
                        inner = core_logits(logits, tumour, self.package.outputs)
                        core.add(inner, given.grid, member.weight, part)
        with clock.stage("fuse"):
            probability, kept = fusion.finish()
            threshold = float(calibration.get("threshold", 0.5))
            if appearance is not None:
                first = next(one for one in channels if one is not None)
                fit_to_scan(probability, first.voxels, geometry.spacing_mm, appearance, threshold)
            removed = remove_doubtful_components(
                probability,
                threshold,
                geometry.voxel_ml,
                float(calibration.get("min_component_ml", 0.0)),
                float(calibration.get("min_component_probability", 0.0)),
            )
        notices += [self._backend_notices[m.name] for m in members if m.name in self._backend_notices]
        notices += removed
        if self._may_fall_back and self.device == "cpu" and self._backend == "torch":
            notices.append("OpenVINO is not installed: PyTorch computes, several times slower.")
        progress.report(1.0, "Done")
        return Prediction(
            geometry=geometry,
            probability=probability,
            core=None if core is None else core.finish()[0],
            members=kept,
            package={
                "id": self.package.id,
                "version": self.package.version,
                "sha256": self.package.sha256,
                "licence": self.package.licence,
            },
            device=self.device,
            backend="+".join(sorted(set(names))),
            seconds=clock.seconds(),
            peak_memory_mb=self._peak_mb(),
            notices=tuple(dict.fromkeys(notices)),
            threshold=threshold,
            triage=self.package.triage,
            calibration=calibration,
            fingerprint=self.package.fingerprint,
            seen=watch.finish(),
        )

    @property
    def _views(self) -> tuple[bool, ...]:
        """As it is, and with `flip_average` mirrored left to right too: whether each is mirrored."""
        return (False, True) if self.package.calibration.get("flip_average") else (False,)

    def _sees_core(self, channels: Sequence[Image | None]) -> bool:
        """The package knows the tumour core, and the scan has the channel that shows it (`core_channel`)."""
        needed = self.package.calibration.get("core_channel")
        given = zip(self.package.channels, channels, strict=True)
        there = {channel.name for channel, image in given if image is not None}
        return CORE in self.package.outputs and (needed is None or needed in there)

    def _run(
        self,
        backend: Backend,
        member: Member,
        given: NetworkInput,
        progress: Progress,
        notices: list[str],
        geometry: Geometry,
        mirrored: bool,
    ) -> np.ndarray:
        volume = np.ascontiguousarray(given.volume[..., ::-1]) if mirrored else given.volume
        logits = run_network(
            backend,
            volume,
            worker=self._worker,
            progress=progress,
            budget_mb=self._budget_mb(self._native_mb(geometry)),
            outputs=len(self.package.outputs),
            preferred=self._preferred(),
            notify=notices.append,
        )
        if len(logits) != len(self.package.outputs):
            raise UnusableInput(
                f"Model {self.package.id}: member {member.name} gives {len(logits)} outputs, the package "
                f"names {len(self.package.outputs)}; restore the package or choose another model."
            )
        if not np.isfinite(logits).all():
            raise UnusableInput(
                f"Model {self.package.id}: member {member.name} gives values that are not numbers on this "
                "scan; try precision f32 or choose another model."
            )
        return given.restore(logits[..., ::-1] if mirrored else logits)

    def _load(self, member: Member) -> Backend:
        with self._build_lock:
            if member.name not in self._backends:
                self._backends[member.name] = self._build(member)
            return self._backends[member.name]

    def _build(self, member: Member) -> Backend:
        from .torch_backend import TorchBackend

        if self._backend == "openvino":
            from .openvino_backend import OpenVinoBackend

            try:
                return OpenVinoBackend(self.package, member, self._precision)
            except UnusableInput:
                raise
            except (ImportError, RuntimeError, ValueError, TypeError) as error:
                reason = " ".join(str(error).split())[:120]
                if not self._may_fall_back:
                    raise UnusableInput(
                        f"Member {member.name} cannot run in OpenVINO ({reason}); use backend torch."
                    ) from error
                self._backend_notices[member.name] = (
                    f"Member {member.name} runs in PyTorch, slower: OpenVINO cannot take it ({reason})."
                )
        return TorchBackend(self.package, member, self.device, self._precision)

    def _refuse_if_too_large(self, geometry: Geometry) -> None:
        native_mb = self._native_mb(geometry)
        least = 0.0
        for member in self.package.members:
            shape = padded_shape(geometry.with_spacing(member.spacing_mm).shape)
            per_voxel = bytes_per_voxel(member.network, self._backend, half=self._precision != "f32")
            least = max(least, self._pass_mb(shape, self._plans(shape)[-1], per_voxel))
        there = available_mb()
        if native_mb + least > there:
            raise UnusableInput(
                f"The scan ({geometry.describe()}) needs about {native_mb + least:.0f} MB of memory and "
                f"{there:.0f} MB are free; crop it to the head or close other programs."
            )

    def _plans(self, shape: tuple[int, ...]) -> list[Shape]:
        return window_plans(shape, self._preferred())  # type: ignore[arg-type]

    def _preferred(self) -> Shape | None:
        window = self.package.preprocessing.get("window")
        return padded_shape(tuple(int(side) for side in window)) if window else None  # type: ignore[return-value]

    def _pass_mb(self, shape: tuple[int, ...], window: Shape, per_voxel: float) -> float:
        return pass_memory_mb(shape, window, per_voxel, len(self.package.outputs))  # type: ignore[arg-type]

    def _native_mb(self, geometry: Geometry) -> float:
        """Arrays of the scan's size: the scan oriented, the sum of logits, one float16 per member; and the
        members' grids (input, logits twice)."""
        voxels = float(np.prod(geometry.shape))
        grids = max(
            float(np.prod(geometry.with_spacing(member.spacing_mm).shape)) for member in self.package.members
        )
        per_grid = 4 * (2 * len(self.package.channels) + 2 * len(self.package.outputs))
        core = 4 if CORE in self.package.outputs else 0
        kept = 2 * len(self.package.members) * len(self._views)
        return (voxels * (8 + core + kept) + grids * per_grid) / 1e6

    def _budget_mb(self, native_mb: float) -> float:
        """What one pass may take."""
        if self.device.startswith("cuda"):
            import torch

            return 0.8 * torch.cuda.mem_get_info(self.device)[0] / 1e6
        within_limit = max(_LEAST_BUDGET_MB, self._limit_mb - _LIBRARIES_MB - native_mb)
        return min(within_limit, _SHARE_OF_AVAILABLE * available_mb())

    def _peak_mb(self) -> float:
        if self.device.startswith("cuda"):
            import torch

            return torch.cuda.max_memory_allocated(self.device) / 1e6
        return peak_mb()

    @contextmanager
    def _turn(self, progress: Progress) -> Iterator[None]:
        while not self._run_lock.acquire(timeout=_POLL_SECONDS):
            progress.check()
        try:
            yield
        finally:
            self._run_lock.release()


class _Clock:
    """Seconds per stage; a stage entered several times adds up."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._stages: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self._stages[name] = self._stages.get(name, 0.0) + time.perf_counter() - begin

    def seconds(self) -> dict[str, Any]:
        total = time.perf_counter() - self._start
        return {**{name: round(value, 3) for name, value in self._stages.items()}, "total": round(total, 3)}
