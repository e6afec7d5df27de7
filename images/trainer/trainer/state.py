"""The whole state of a learner as canonical bytes: whoever reaches the same state writes the same file.

A state is a safetensors file as safetensors.py writes it: tensors in the order of their names, without gaps; the header
as JSON with sorted keys and no spaces, then filled with spaces to a multiple of 8 bytes. It holds, for each parameter,

  parameters/<name>       its values
  first_moments/<name>    AdamW's mean of gradients; zeros before the first step
  second_moments/<name>   AdamW's mean of squared gradients; likewise

all little-endian float32 of the parameter's shape, and as metadata, in decimal digits, `layers`, `width`, `heads`,
`context` and `moment_steps`, the number of steps behind the moments. There is no random state: batches come from seeded
keys. Nothing else is in it, so two states are equal when their SHA-256 are.
"""

from dataclasses import asdict, dataclass

from . import safetensors
from .architecture import Architecture, architecture_in, check_like_parameters
from .faults import DataFault
from .safetensors import Metadata, Tensors

STEPS_DIGITS_LIMIT = 10


@dataclass(frozen=True)
class State:
    """What the next step starts from, besides its batch. All three are float32 tensors by the parameters' names."""

    architecture: Architecture
    parameters: Tensors
    first_moments: Tensors
    second_moments: Tensors
    moment_steps: int

    def groups(self) -> dict[str, Tensors]:
        """The three kinds of tensors by the folder that they have in the file."""
        return {name: getattr(self, name) for name in GROUPS}

    def tensors(self) -> Tensors:
        """All tensors by their names in the file."""
        return {f"{group}/{name}": it for group, tensors in self.groups().items() for name, it in tensors.items()}

    def metadata(self) -> Metadata:
        """What the file's metadata says."""
        sizes = asdict(self.architecture) | {"moment_steps": self.moment_steps}
        return {name: str(size) for name, size in sizes.items()}


GROUPS = ("parameters", "first_moments", "second_moments")


def write(state: State) -> bytes:
    """The file's bytes."""
    return safetensors.write(state.tensors(), state.metadata())


def read(content: bytes, label: str) -> State:
    """What `write` wrote; DataFault for anything else, also for the same state in other bytes."""
    state = state_in(*safetensors.read(content, label), label)
    if write(state) != content:
        raise DataFault(f"{label} is not in the canonical form of a state")
    return state


def state_in(tensors: Tensors, metadata: Metadata, label: str) -> State:
    """The state that these tensors and this metadata (which may say more) make up; DataFault where they do not."""
    architecture = architecture_in(metadata, label)
    groups: dict[str, Tensors] = {name: {} for name in GROUPS}
    for path, tensor in tensors.items():
        group, _, name = path.partition("/")
        if group not in groups:
            raise DataFault(f"{label} holds a tensor that no state has")
        groups[group][name] = tensor
    for group, members in groups.items():
        check_like_parameters(members, architecture, f"{label}: {group}")
    check_second_moments(groups["second_moments"], label)
    return State(architecture, **groups, moment_steps=steps_in(metadata, "moment_steps", label))


def check_second_moments(moments: Tensors, label: str) -> None:
    """DataFault where a value is below zero."""
    if any((tensor < 0).any() for tensor in moments.values()):
        raise DataFault(f"{label} holds a second moment below zero")


def steps_in(metadata: Metadata, name: str, label: str) -> int:
    """A number of steps that the metadata says; DataFault where it does not."""
    steps = metadata.get(name, "")
    if not (steps.isdecimal() and len(steps) < STEPS_DIGITS_LIMIT):
        raise DataFault(f"{label} does not say its steps in its metadata")
    return int(steps)
