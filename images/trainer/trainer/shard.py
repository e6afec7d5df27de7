"""The directories a shard sees: in/ (read-only), out/ and checkpoint/."""

import json
import os
import shutil
from pathlib import Path

from .faults import DataFault, DiskFault


class Shard:
    """Reads inputs by name, writes outputs whole: a name in out/ or checkpoint/ never holds half a file.

    What cannot be written is a DiskFault.
    """

    def __init__(self, root: str):
        self._inputs = Path(root, "in")
        self._outputs = Path(root, "out")
        self._checkpoints = Path(root, "checkpoint")

    def input(self, name: str) -> bytes:
        """The bytes of in/<name>; DataFault where it cannot be read."""
        try:
            return (self._inputs / name).read_bytes()
        except OSError as error:
            raise DataFault(f"input {name}: {error.strerror}") from error

    def has_input(self, name: str) -> bool:
        """Whether in/<name> is there."""
        return (self._inputs / name).is_file()

    def input_names(self, prefix: str) -> list[str]:
        """The names in in/ that start with the prefix, sorted; DataFault where there is none."""
        names = sorted(path.name for path in self._inputs.glob(prefix + "*") if path.is_file())
        if not names:
            raise DataFault(f"no input is named {prefix}*")
        return names

    def write(self, name: str, content: bytes) -> None:
        """Write out/<name>."""
        _write_whole(self._outputs / name, content)

    def write_metrics(self, metrics: dict) -> None:
        """Write out/metrics.json: sorted keys, no dates, so that equal runs give equal bytes."""
        self.write("metrics.json", (json.dumps(metrics, sort_keys=True, indent=2, allow_nan=False) + "\n").encode())

    def checkpoint(self, name: str) -> bytes | None:
        """The bytes of checkpoint/<name>, or None where there is none."""
        path = self._checkpoints / name
        return path.read_bytes() if path.is_file() else None

    def write_checkpoint(self, name: str, content: bytes) -> None:
        """Write checkpoint/<name>, durable when this returns."""
        _write_whole(self._checkpoints / name, content)

    def remove_checkpoint(self, name: str) -> None:
        """Remove checkpoint/<name>, if it is there."""
        (self._checkpoints / name).unlink(missing_ok=True)

    def clear_checkpoints(self, folder: str) -> None:
        """Remove checkpoint/<folder>/ with all that is in it, if it is there."""
        shutil.rmtree(self._checkpoints / folder, ignore_errors=True)

    def checkpoint_room(self) -> int:
        """How many bytes checkpoint/ can still take."""
        return shutil.disk_usage(self._checkpoints).free


def _write_whole(path: Path, content: bytes) -> None:
    if not path.parent.is_dir():
        path.parent.mkdir()
        # The agent need not be root, and has to be able to remove what this user leaves there.
        path.parent.chmod(0o777)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with open(unfinished, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise DiskFault(f"{path.name} with its {len(content)} bytes cannot be written: {error.strerror}") from error
