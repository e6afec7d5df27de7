"""The inner optimiser: AdamW on one worker, with its state as plain tensors."""

import numpy as np
import torch

from . import safetensors
from .architecture import Architecture, check_like_parameters
from .faults import DataFault
from .model import Model
from .safetensors import Tensors
from .state import State, check_second_moments, steps_in

BETAS = (0.9, 0.95)
WEIGHT_DECAY = 0.1
GRADIENT_NORM_LIMIT = 1.0
SECOND_SUFFIX = ".second"


class Learner:
    """A model under training: its parameters, their AdamW moments, and the number of steps behind the moments."""

    def __init__(self, architecture: Architecture, parameters: Tensors, device: str):
        tensors = {name: torch.tensor(array, device=device) for name, array in sorted(parameters.items())}
        self.model = Model(architecture, tensors)
        for tensor in tensors.values():
            tensor.requires_grad_()
        self._device = device
        self._optimizer = torch.optim.AdamW(tensors.values(), betas=BETAS, weight_decay=WEIGHT_DECAY)
        self.adopt_moments(_zeros(parameters), _zeros(parameters), 0)

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

    def state(self) -> State:
        """A copy of all that the next step starts from."""
        moments = self._moments("exp_avg"), self._moments("exp_avg_sq")
        return State(self.model.architecture, self.parameters(), *moments, self.moment_steps)

    def adopt(self, state: State) -> None:
        """Go on from this state; DataFault where it is of another architecture."""
        if state.architecture != self.model.architecture:
            raise DataFault(f"the state is of {state.architecture}, not of {self.model.architecture}")
        with torch.no_grad():
            for name, tensor in self.model.parameters.items():
                tensor.copy_(torch.tensor(state.parameters[name]))
        self.adopt_moments(state.first_moments, state.second_moments, state.moment_steps)

    def adopt_moments(self, firsts: Tensors, seconds: Tensors, steps: int) -> None:
        """Go on from first and second moments that `steps` steps have made."""
        self.moment_steps = steps
        for name, tensor in self.model.parameters.items():
            self._optimizer.state[tensor] = {
                "step": torch.tensor(float(steps)),
                "exp_avg": torch.tensor(firsts[name], device=self._device),
                "exp_avg_sq": torch.tensor(seconds[name], device=self._device),
            }

    def _moments(self, kind: str) -> Tensors:
        state = self._optimizer.state
        return {name: state[tensor][kind].cpu().numpy().copy() for name, tensor in self.model.parameters.items()}


def write_second_moments(state: State) -> bytes:
    """The optimiser file: the second moments, with the steps behind them in the metadata.

    The first moments stay behind: they point where the warm-up went, and a worker that starts a later round with them
    first walks the wrong way (measured in benchmarks/diloco/README.md).
    """
    seconds = {name + SECOND_SUFFIX: tensor for name, tensor in state.second_moments.items()}
    return safetensors.write(seconds, {"steps": str(state.moment_steps)})


def adopt_second_moments(learner: Learner, content: bytes, label: str) -> None:
    """Take over what write_second_moments wrote, checked against the learner's architecture; first moments are zero."""
    moments, metadata = safetensors.read(content, label)
    steps = steps_in(metadata, "steps", label)
    seconds = {name.removesuffix(SECOND_SUFFIX): tensor for name, tensor in moments.items()}
    if not all(name.endswith(SECOND_SUFFIX) for name in moments):
        raise DataFault(f"{label} holds a tensor that is not a second moment")
    check_like_parameters(seconds, learner.model.architecture, label)
    check_second_moments(seconds, label)
    learner.adopt_moments(_zeros(seconds), seconds, steps)


def _zeros(tensors: Tensors) -> Tensors:
    return {name: np.zeros_like(tensor) for name, tensor in tensors.items()}
