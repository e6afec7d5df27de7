"""The command line: every subcommand, every flag, its default and its limits."""

import math
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import Callable, NoReturn, Sequence

from .faults import UsageFault


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageFault(f"{message} (see {self.prog} --help)")


def parse(argv: Sequence[str] | None) -> Namespace:
    """The options of the subcommand in `options.subcommand`; UsageFault where the command line cannot be obeyed."""
    parser = _Parser(prog="trainer", allow_abbrev=False, description="DiLoCo on a byte-level transformer.")
    subcommands = parser.add_subparsers(dest="subcommand", required=True, parser_class=_Parser)
    for name, help_text, add_flags in (
        ("warm-up", "train from scratch for a while", _warm_up_flags),
        ("train", "one worker's part of a round", _train_flags),
        ("reduce", "updates into the next parameters", _reduce_flags),
        ("evaluate", "held-out loss and a sample", _evaluate_flags),
        ("replay", "one segment of a warm-up or train shard again", _replay_flags),
        ("finish", "the outputs of a warm-up or train shard from its last state", _finish_flags),
        ("compare", "a claimed state with a replayed one", _compare_flags),
    ):
        add_flags(subcommands.add_parser(name, help=help_text, allow_abbrev=False))
    return parser.parse_args(argv)


def _warm_up_flags(parser: ArgumentParser) -> None:
    _learning_flags(parser, steps=300)
    _architecture_flags(parser)
    parser.add_argument("--ramp", type=_whole(1), default=50, help="steps until the learning rate is reached")


def _train_flags(parser: ArgumentParser) -> None:
    _learning_flags(parser, steps=20)
    parser.add_argument("--round", type=_whole(0), required=True, help="counts from 0")
    parser.add_argument("--rounds", type=_whole(1), required=True, help="in all, for the learning rate")
    parser.add_argument("--worker", type=_whole(0), required=True, help="counts from 0")
    parser.add_argument("--workers", type=_whole(1), required=True)
    parser.add_argument("--final-learning-rate", type=_positive, default=3e-4, help="after the last round")


def _reduce_flags(parser: ArgumentParser) -> None:
    _common_flags(parser)
    parser.add_argument("--outer-learning-rate", type=_positive, default=0.7)
    parser.add_argument("--outer-momentum", type=_fraction, default=0.9)
    parser.add_argument("--clip-ratio", type=_positive, default=3.0, help="longest update, in median updates")


def _evaluate_flags(parser: ArgumentParser) -> None:
    _common_flags(parser)
    _device_flag(parser)
    _architecture_flags(parser)
    parser.add_argument("--seed", type=_whole(0), default=0)
    parser.add_argument("--untrained", action="store_true", help="the initial parameters of --seed")
    parser.add_argument("--windows", type=_whole(1), default=128, help="how many, spread over the held-out text")
    parser.add_argument("--prompt", type=_prompt, default="In the beginning ")
    parser.add_argument("--sample-bytes", type=_whole(0), default=400)
    parser.add_argument("--temperature", type=_positive, default=0.7)


def _replay_flags(parser: ArgumentParser) -> None:
    """The whole command line of the shard that is replayed, and which segment."""
    for phase, add_flags in zip(_phases(parser), (_warm_up_flags, _train_flags)):
        add_flags(phase)
        phase.add_argument("--segment", type=_whole(0), required=True, help="counts from 0")


def _finish_flags(parser: ArgumentParser) -> None:
    for phase in _phases(parser):
        _common_flags(phase)


def _phases(parser: ArgumentParser) -> list[ArgumentParser]:
    phases = parser.add_subparsers(dest="phase", required=True, parser_class=_Parser)
    return [phases.add_parser(name, allow_abbrev=False) for name in ("warm-up", "train")]


def _compare_flags(parser: ArgumentParser) -> None:
    _common_flags(parser)
    parser.add_argument("--tolerance", type=_positive, default=5e-4, help="largest relative error that passes")


def _common_flags(parser: ArgumentParser) -> None:
    parser.add_argument("--shard", default="/shard", help="where in/, out/ and checkpoint/ are")
    parser.add_argument("--threads", type=_whole(1, 256), default=1)


def _learning_flags(parser: ArgumentParser, steps: int) -> None:
    _common_flags(parser)
    _device_flag(parser)
    parser.add_argument("--steps", type=_whole(1), default=steps)
    parser.add_argument("--batch", type=_whole(1), default=8, help="windows a step")
    parser.add_argument("--learning-rate", type=_positive, default=3e-3)
    parser.add_argument("--seed", type=_whole(0), default=0)
    parser.add_argument("--checkpoint-seconds", type=_whole(0), default=300, help="between two checkpoints")
    parser.add_argument("--segment-steps", type=_whole(0), default=0, help="steps a segment for audits; 0 for none")


def _architecture_flags(parser: ArgumentParser) -> None:
    parser.add_argument("--layers", type=_whole(1), default=5)
    parser.add_argument("--width", type=_whole(1), default=128)
    parser.add_argument("--heads", type=_whole(1), default=4)
    parser.add_argument("--context", type=_whole(1), default=128, help="bytes a window")


def _device_flag(parser: ArgumentParser) -> None:
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")


def _whole(least: int, most: int = 2**31 - 1) -> Callable[[str], int]:
    def parse_whole(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise ArgumentTypeError(f"'{text}' is not a whole number from {least} to {most}")
        return int(text)

    return parse_whole


def _positive(text: str) -> float:
    value = _number(text)
    if not 0 < value < math.inf:
        raise ArgumentTypeError(f"'{text}' is not a positive number")
    return value


def _fraction(text: str) -> float:
    value = _number(text)
    if not 0 <= value < 1:
        raise ArgumentTypeError(f"'{text}' is not a number from 0 to below 1")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _prompt(text: str) -> str:
    if not text:
        raise ArgumentTypeError("a prompt needs at least one byte")
    return text
