"""Expected failures: each ends the program with one line on stderr and its own exit code."""


class Fault(Exception):
    """An expected failure; `exit_code` is what the container exits with."""

    exit_code: int


class UsageFault(Fault):
    """The command line cannot be obeyed."""

    exit_code = 2


class DataFault(Fault):
    """An input is missing, malformed or contradicts another one."""

    exit_code = 3


class DiskFault(Fault):
    """What is to be written does not fit where it belongs."""

    exit_code = 4
