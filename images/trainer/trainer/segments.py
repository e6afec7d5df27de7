"""The states between a run's segments: checkpoint/segments/<j>.safetensors is that before segment j, or after the last.

They lie in a folder because plain files of checkpoint/ travel to other hosts. These stay on the host that made them,
also when the run is over, for whoever audits it.
"""

from .faults import DiskFault
from .shard import Shard

FOLDER = "segments"
RUNNING_CHECKPOINTS = 2


class Keeper:
    """Keeps the states of a run of `count` segments."""

    def __init__(self, shard: Shard, count: int):
        self._shard, self._states = shard, count + 1

    def keep(self, index: int, content: bytes) -> None:
        """Write state `index`; DiskFault where it does not fit.

        State 0 begins a run: what an earlier one left goes, and there must be room for all states.
        """
        if index == 0:
            self._shard.clear_checkpoints(FOLDER)
            if self._shard.checkpoint_room() < self._needed_bytes(content):
                raise DiskFault(f"checkpoint/ has too little room: {self._needs(content)}")
        try:
            self._shard.write_checkpoint(f"{FOLDER}/{index}.safetensors", content)
        except DiskFault as fault:
            raise DiskFault(f"{fault}: {self._needs(content)}") from fault

    def _needed_bytes(self, content: bytes) -> int:
        """A running checkpoint is about as large as a state, and there twice while it is replaced."""
        return (self._states + RUNNING_CHECKPOINTS) * len(content)

    def _needs(self, content: bytes) -> str:
        mebibytes = -(-self._needed_bytes(content) >> 20)
        return (
            f"{self._states} states of segments and the running checkpoint need {mebibytes} MiB there; "
            "raise limits.checkpointMiB or --segment-steps"
        )
