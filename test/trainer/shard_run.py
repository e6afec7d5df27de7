"""Runs the program as a container would: a process of its own, its directories in a fresh place."""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from trainer.__main__ import main

TINY = ["--layers", "2", "--width", "32", "--heads", "2", "--context", "16"]
TEXT = b"In the beginning God created the heaven and the earth. And the earth was without form, and void. " * 40


class ShardRun:
    """A shard's directories, removed with the context, and the program to run on them."""

    def __enter__(self) -> "ShardRun":
        self._directory = tempfile.TemporaryDirectory()
        self.root = Path(self._directory.name)
        for name in ("in", "out", "checkpoint"):
            (self.root / name).mkdir()
        return self

    def __exit__(self, *error) -> None:
        self._directory.cleanup()

    def put(self, inputs: dict[str, bytes]) -> None:
        """Inputs by name."""
        for name, content in inputs.items():
            (self.root / "in" / name).write_bytes(content)

    def start(self, *argv: str, **environment: str) -> subprocess.Popen:
        """The running program."""
        command = [sys.executable, "-m", "trainer", *argv, "--shard", str(self.root)]
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def run(self, *argv: str, **environment: str) -> tuple[int, str]:
        """Exit code and stderr."""
        with self.start(*argv, **environment) as process:
            _, errors = process.communicate(timeout=120)
            return process.returncode, errors

    def call(self, *argv: str, stdout: io.StringIO | None = None) -> tuple[int, str]:
        """Exit code and stderr of the program in this process, where PyTorch is loaded only once.

        Its bytes are those of a process of its own because run.sh has all libraries start with one thread.
        """
        errors = io.StringIO()
        with redirect_stdout(stdout or io.StringIO()), redirect_stderr(errors):
            return main([*argv, "--shard", str(self.root)]), errors.getvalue()

    def output(self, name: str) -> bytes:
        """The bytes of an output."""
        return (self.root / "out" / name).read_bytes()

    def segments(self) -> list[bytes]:
        """The states between segments, in their order."""
        folder = self.root / "checkpoint" / "segments"
        return [(folder / f"{index}.safetensors").read_bytes() for index in range(len(list(folder.iterdir())))]

    def travel(self, other: "ShardRun") -> None:
        """Put into the other shard's checkpoint what travels there: plain files, no folders."""
        for path in (self.root / "checkpoint").iterdir():
            if path.is_file():
                shutil.copy(path, other.root / "checkpoint")

    def digests(self) -> dict[str, str]:
        """SHA-256 of every output by its name."""
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((self.root / "out").iterdir())
        }


def warmed_up() -> dict[str, bytes]:
    """A tiny model after a few steps: the inputs of `train`, but for the text."""
    with ShardRun() as shard:
        shard.put({"text-0": TEXT})
        exit_code, errors = shard.run("warm-up", *TINY, "--steps", "3", "--batch", "4")
        assert exit_code == 0, errors
        return {
            "parameters.safetensors": shard.output("parameters.safetensors"),
            "optimizer.safetensors": shard.output("optimizer.safetensors"),
        }
