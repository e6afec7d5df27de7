"""The shape of the model, without PyTorch: sizes, tensor names and shapes, initial values, the parameters file."""

from dataclasses import asdict, dataclass, fields

import numpy as np

from . import safetensors
from .faults import DataFault, UsageFault
from .safetensors import Metadata, Tensors

VOCABULARY = 256
MLP_RATIO = 4
INITIAL_DEVIATION = 0.02
SIZE_LIMITS = {"layers": 64, "width": 4096, "heads": 64, "context": 8192}


@dataclass(frozen=True)
class Architecture:
    """A decoder-only transformer over bytes: `context` bytes in, `width` values each, `heads` must divide `width`."""

    layers: int
    width: int
    heads: int
    context: int

    def __post_init__(self) -> None:
        for name, limit in SIZE_LIMITS.items():
            if not 1 <= getattr(self, name) <= limit:
                raise UsageFault(f"{name} must be from 1 to {limit}, not {getattr(self, name)}")
        if self.width % (2 * self.heads):
            raise UsageFault(f"width {self.width} is not an even multiple of {self.heads} heads")

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every parameter by its name. Matrices are (outputs, inputs)."""
        width = self.width
        shapes = {"embedding": (VOCABULARY, width), "output_norm": (width,)}
        for layer in range(self.layers):
            shapes |= {
                f"layer_{layer}.attention_norm": (width,),
                f"layer_{layer}.attention_in": (3 * width, width),
                f"layer_{layer}.attention_out": (width, width),
                f"layer_{layer}.mlp_norm": (width,),
                f"layer_{layer}.mlp_in": (MLP_RATIO * width, width),
                f"layer_{layer}.mlp_out": (width, MLP_RATIO * width),
            }
        return shapes

    def initial_parameters(self, seed: int) -> Tensors:
        """Seeded starting values. The last matrix of each branch is smaller, so that depth does not add variance:
        GPT-2, https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf
        """
        random = np.random.default_rng([seed, 0])
        parameters = {}
        for name, shape in sorted(self.shapes().items()):
            deviation = INITIAL_DEVIATION / (2 * self.layers) ** 0.5 if name.endswith("_out") else INITIAL_DEVIATION
            values = random.standard_normal(shape, np.float32) * np.float32(deviation)
            parameters[name] = np.ones(shape, np.float32) if name.endswith("_norm") else values
        return parameters


def write_parameters(architecture: Architecture, parameters: Tensors) -> bytes:
    """The parameters file: a safetensors file with the architecture in its metadata."""
    return safetensors.write(parameters, {name: str(size) for name, size in asdict(architecture).items()})


def read_parameters(content: bytes, label: str) -> tuple[Architecture, Tensors]:
    """What write_parameters wrote, checked: every expected tensor, finite float32, and nothing else."""
    parameters, metadata = safetensors.read(content, label)
    architecture = architecture_in(metadata, label)
    check_like_parameters(parameters, architecture, label)
    return architecture, parameters


def check_like_parameters(tensors: Tensors, architecture: Architecture, label: str) -> None:
    """DataFault unless the tensors have the names and shapes of the parameters and are finite float32."""
    if {name: tensor.shape for name, tensor in tensors.items()} != architecture.shapes():
        raise DataFault(f"{label} does not hold exactly the tensors that its architecture has")
    for name, tensor in tensors.items():
        if tensor.dtype != np.float32:
            raise DataFault(f"{label}: {name} is not float32")
        if not np.isfinite(tensor).all():
            raise DataFault(f"{label}: {name} has a value that is not finite")


def architecture_in(metadata: Metadata, label: str) -> Architecture:
    """The architecture that a file's metadata says; DataFault where it does not."""
    try:
        return Architecture(**{field.name: int(metadata[field.name]) for field in fields(Architecture)})
    except (KeyError, ValueError) as error:
        raise DataFault(f"{label} does not say its layers, width, heads and context in its metadata") from error
    except UsageFault as fault:
        raise DataFault(f"{label}: {fault}") from fault
