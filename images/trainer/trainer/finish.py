"""finish: the outputs of a warm-up or train shard from its last state, to see whether they are what it delivered.

A replay shows that states follow from one another, and only this that the outputs follow from them. It is exact on
every machine: values are copied, subtracted and rounded one by one, and nothing is added up.
"""

from argparse import Namespace

from .replay import PHASES, STATE
from .shard import Shard
from .state import read


def prepare(options: Namespace) -> None:
    """Nothing is to be made ready."""


def run(options: Namespace, shard: Shard) -> None:
    """segment.safetensors (the last state), for train also parameters.safetensors -> the shard's own *.safetensors."""
    PHASES[options.phase].end(shard, read(shard.input(STATE), STATE))
