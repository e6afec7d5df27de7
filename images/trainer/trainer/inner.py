"""The inner optimiser: AdamW on one worker, with its state as plain tensors."""

import numpy as np
import torch

from . import safetensors
from .architecture import Architecture, check_like_parameters
from .faults import DataFault
from .model import Model
from .safetensors import Tensors

BETAS = (0.9, 0.95)
WEIGHT_DECAY = 0.1
GRADIENT_NORM_LIMIT = 1.0
FIRST_SUFFIX, SECOND_SUFFIX = ".first", ".second"
STEPS_DIGITS_LIMIT = 10


class Learner:
    """A model under training: its parameters, their AdamW moments, and the number of steps behind the moments."""

    def __init__(self, architecture: Architecture, parameters: Tensors, device: str):
        tensors = {name: torch.tensor(array, device=device) for name, array in sorted(parameters.items())}
        self.model = Model(architecture, tensors)
        self.moment_steps = 0
        for tensor in tensors.values():
            tensor.requires_grad_()
        self._device = device
        self._optimizer = torch.optim.AdamW(tensors.values(), betas=BETAS, weight_decay=WEIGHT_DECAY)

    def learn(self, windows: np.ndarray, learning_rate: float) -> float:
        """One AdamW step on windows (B, context + 1); returns the loss before it, in nats per byte."""
        self._optimizer.param_groups[0]["lr"] = learning_rate
        loss = self.model.loss(torch.from_numpy(windows).to(self._device))
        if not loss.isfinite():
            raise DataFault(f"the training loss is {loss.item()}: the learning rate is too high or the start is broken")
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters.values(), GRADIENT_NORM_LIMIT)
        self._optimizer.step()
        self.moment_steps += 1
        return loss.item()

    def parameters(self) -> Tensors:
        """A copy of the parameters."""
        return {name: tensor.detach().cpu().numpy().copy() for name, tensor in self.model.parameters.items()}

    def adopt_parameters(self, parameters: Tensors) -> None:
        """Overwrite the parameters."""
        with torch.no_grad():
            for name, tensor in self.model.parameters.items():
                tensor.copy_(torch.tensor(parameters[name]))

    def moments(self) -> Tensors:
        """The moments (exp_avg, exp_avg_sq) as `<name>.first` and `<name>.second`."""
        moments = {}
        for name, tensor in self.model.parameters.items():
            state = self._optimizer.state[tensor]
            moments[name + FIRST_SUFFIX] = state["exp_avg"].cpu().numpy()
            moments[name + SECOND_SUFFIX] = state["exp_avg_sq"].cpu().numpy()
        return moments

    def adopt_moments(self, moments: Tensors, steps: int) -> None:
        """Go on from moments that `steps` steps have made."""
        self.moment_steps = steps
        for name, tensor in self.model.parameters.items():
            self._optimizer.state[tensor] = {
                "step": torch.tensor(float(steps)),
                "exp_avg": torch.tensor(moments[name + FIRST_SUFFIX], device=self._device),
                "exp_avg_sq": torch.tensor(moments[name + SECOND_SUFFIX], device=self._device),
            }


def write_second_moments(learner: Learner) -> bytes:
    """The optimiser file: the second moments, with the steps behind them in the metadata.

    The first moments stay behind: they point where the warm-up went, and a worker that starts a later round with them
    first walks the wrong way (measured in benchmarks/diloco/README.md).
    """
    seconds = {name: tensor for name, tensor in learner.moments().items() if name.endswith(SECOND_SUFFIX)}
    return safetensors.write(seconds, {"steps": str(learner.moment_steps)})


def adopt_second_moments(learner: Learner, content: bytes, label: str) -> None:
    """Take over what write_second_moments wrote, checked against the learner's architecture; first moments are zero."""
    moments, metadata = safetensors.read(content, label)
    steps = metadata.get("steps", "")
    if not (steps.isdecimal() and len(steps) < STEPS_DIGITS_LIMIT):
        raise DataFault(f"{label} does not say its steps in its metadata")
    seconds = {name.removesuffix(SECOND_SUFFIX): tensor for name, tensor in moments.items()}
    if not all(name.endswith(SECOND_SUFFIX) for name in moments):
        raise DataFault(f"{label} holds a tensor that is not a second moment")
    check_like_parameters(seconds, learner.model.architecture, label)
    if any((tensor < 0).any() for tensor in seconds.values()):
        raise DataFault(f"{label} holds a second moment below zero")
    firsts = {name + FIRST_SUFFIX: np.zeros_like(tensor) for name, tensor in seconds.items()}
    learner.adopt_moments(moments | firsts, int(steps))
