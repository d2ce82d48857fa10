"""The two ways in which work ends early; the command line answers each with an exit code of its own."""


class UnusableInput(ValueError):
    """An input that cannot be used; the message is one line: what, why, and what to do (exit code 2)."""


class Cancelled(RuntimeError):
    """The user asked to stop; nothing has been written (exit code 3)."""
