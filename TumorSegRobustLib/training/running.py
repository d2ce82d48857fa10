"""One training under way: network, its running average, optimiser, step count; loud about NaN."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from TumorSegRobustLib.errors import Cancelled, UnusableInput
from TumorSegRobustLib.progress import Progress

from .checkpoints import load_initial, read_checkpoint, write_whole
from .distributed import World

LARGEST_GRADIENT = 5.0


class NotFiniteError(FloatingPointError):
    """The loss is NaN or infinite; the last checkpoint is intact."""


class Pace(Protocol):
    """The settings of a configuration that the optimiser needs."""

    @property
    def name(self) -> str: ...
    @property
    def steps(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def warm_up(self) -> int: ...
    @property
    def decay_from(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def ema(self) -> float: ...
    @property
    def precision(self) -> str: ...
    @property
    def checkpoint_minutes(self) -> float: ...


class Run:
    """Goes on from `out`/checkpoint.pt if there is one, else starts from `initial` weights or from chance.

    identity: the settings that make the result; a checkpoint of others is refused (UnusableInput).
    """

    def __init__(
        self,
        network: nn.Module,
        pace: Pace,
        out: Path,
        *,
        identity: Mapping[str, Any],
        initial: Path | None = None,
        world: World | None = None,
    ) -> None:
        self.pace, self.out, self.world = pace, out, world or World()
        self.identity, self.device = identity, self.world.device
        self.step, self.examples, self.saved = 0, 0, time.monotonic()
        out.mkdir(parents=True, exist_ok=True)
        self.average = copy.deepcopy(network).to(self.device).eval().requires_grad_(False)
        state: dict[str, Any] | None = None
        loaded = None
        if (out / "checkpoint.pt").exists():
            state = read_checkpoint(out / "checkpoint.pt", identity, self.device)
        elif initial:
            loaded = load_initial(network, initial)
        network = _fp32_transposed(network.train())
        self.network = network.to(self.device).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.average.load_state_dict(self.network.state_dict())
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), pace.learning_rate, weight_decay=pace.weight_decay
        )
        if state:
            self._restore(state)
        self.model = self.world.wrap(self.network)
        if loaded:
            self.log({"initial": str(initial), "tensors": loaded[0], "of": loaded[1]})

    @property
    def progress(self) -> float:
        """0 at the start, 1 at the last step."""
        return min(1.0, self.step / max(1, self.pace.steps))

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.pace.precision == "bf16")

    def advance(self, loss_of: Callable[[nn.Module], torch.Tensor]) -> float:
        """One step of the optimiser on the loss of `loss_of(model)`; the loss, the mean of all ranks."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.pace.learning_rate * schedule(self.step, self.pace)
        loss = loss_of(self.model)
        value = self.world.mean(float(loss.detach()))
        if not math.isfinite(value):
            raise NotFiniteError(
                f"The loss is {value} at step {self.step} of {self.pace.name}; the last checkpoint is intact."
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT, error_if_nonfinite=True)
        self.optimiser.step()
        self.step += 1
        self.examples += self.pace.batch * self.world.size
        self._average()
        return value

    def go(
        self,
        batches: Callable[[int], Iterator[Any]],
        loss_of: Callable[[nn.Module, Any], torch.Tensor],
        progress: Progress,
        log_every: int,
        after_step: Callable[[], None] | None = None,
    ) -> float | None:
        """Train to the last step and save; the last loss, None where nothing was left to do.

        batches: an endless iterator from the number of an example on. Cancelled: the step reached is saved.
        """
        losses: list[float] = []
        started = time.monotonic()
        loader = batches(self.examples) if self.step < self.pace.steps else iter(())
        try:
            while self.step < self.pace.steps:
                batch = next(loader)
                losses.append(self.advance(lambda model, given=batch: loss_of(model, given)))  # type: ignore[misc]
                progress.report(self.step / self.pace.steps, f"step {self.step} of {self.pace.steps}")
                if self.step % log_every == 0:
                    recent = losses[-log_every:]
                    self.log({"loss": sum(recent) / len(recent), "seconds": time.monotonic() - started})
                if after_step:
                    after_step()
                if time.monotonic() - self.saved > 60 * self.pace.checkpoint_minutes:
                    self.save()
        except Cancelled:
            self.save()
            raise
        self.save()
        return losses[-1] if losses else None

    def log(self, entry: dict[str, Any]) -> None:
        """One line of log.jsonl."""
        if self.world.leads:
            with (self.out / "log.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": self.step, **entry}) + "\n")

    def save(self) -> None:
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "examples": self.examples,
            "config": json.dumps(self.identity),
        }
        if self.world.leads:
            write_whole(self.out / "checkpoint.pt", lambda path: torch.save(state, path))
        self.saved = time.monotonic()

    def _restore(self, state: Mapping[str, Any]) -> None:
        try:
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
        except (RuntimeError, ValueError) as error:
            raise UnusableInput(
                f"{self.out / 'checkpoint.pt'}: holds another network; "
                "go on with its configuration or choose another folder for --out."
            ) from error
        self.step = int(state["step"])
        self.examples = int(state.get("examples", self.step * self.pace.batch))

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.pace.ema, (1 + self.step) / (10 + self.step))
        for a, b in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
            a.lerp_(b, 1 - decay) if a.is_floating_point() else a.copy_(b)


def schedule(step: int, pace: Pace) -> float:
    """Warm up, stay, then fall along a cosine to 1 %."""
    if step < pace.warm_up:
        return (step + 1) / pace.warm_up
    start = pace.decay_from * pace.steps
    fraction = min(1.0, max(0.0, (step - start) / max(1.0, pace.steps - start)))
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * fraction))


def _fp32_transposed(network: nn.Module) -> nn.Module:
    """Keep transposed convolutions out of bfloat16: there they turned residual U-Nets to NaN within 24
    steps.
    """
    for module in network.modules():
        if isinstance(module, nn.ConvTranspose3d):
            module.forward = _without_autocast(module.forward)  # type: ignore[method-assign]
    return network


def _without_autocast(forward: Any) -> Any:
    def call(x: torch.Tensor, *args: Any) -> torch.Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return forward(x.float(), *args)

    return call
