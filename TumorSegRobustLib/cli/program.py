"""The program: its commands, and the promise that every end of it is one line and one exit code."""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer

from ..errors import Cancelled, UnusableInput
from ..version import __version__
from . import (
    command_app,
    command_compare,
    command_demo,
    command_evaluate,
    command_export,
    command_journal,
    command_loho,
    command_mean,
    command_models,
    command_refine,
    command_segment,
    command_simulate,
    command_train,
    command_weights,
)
from .job import unstopped_work

NAME = "tumorsegrobust"
DONE, OUR_FAULT, UNUSABLE, CANCELLED = 0, 1, 2, 3
_INTERRUPTED = 128 + signal.SIGINT  # what newer typers make of Ctrl-C; older ones raise Abort

program = typer.Typer(
    name=NAME,
    help="Tumour contours from an ensemble of local models, with an honest statement of how far to trust "
    "them. Nothing leaves this machine. Research software, not a medical device.",
    epilog="Exit codes: 0 done, 1 our fault, 2 unusable input (one line says what to do), 3 cancelled.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
for _commands in (
    command_demo,
    command_segment,
    command_refine,
    command_simulate,
    command_evaluate,
    command_compare,
    command_train,
    command_loho,
    command_weights,
    command_mean,
    command_models,
    command_export,
    command_journal,
    command_app,
):
    _commands.add_to(program)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"{NAME} {__version__}")
        raise typer.Exit


@program.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and stop.", is_eager=True, callback=_print_version),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an unexpected error; works anywhere.")
    ] = False,
) -> None:
    """--debug is read in `run`, where errors end; it stands here for --help."""


def run(arguments: Sequence[str]) -> int:
    """Run one command line (without the program's name) and return its exit code; never raises.

    stdout: results only. stderr: progress when it is a terminal, notes, and one line when it failed.
    """
    debug = "--debug" in arguments
    words = [word for word in arguments if word != "--debug"]
    # Libraries like to warn and to log on stderr, which belongs to our own line.
    if not debug and not logging.getLogger().handlers:
        logging.getLogger().addHandler(logging.NullHandler())
    with warnings.catch_warnings():
        if not debug:
            warnings.simplefilter("ignore")
        try:
            code = typer.main.get_command(program).main(words, prog_name=NAME, standalone_mode=False)
            if code == _INTERRUPTED:
                raise KeyboardInterrupt
            return code if isinstance(code, int) else DONE
        except UnusableInput as error:
            return _end(UNUSABLE, str(error))
        except Cancelled as error:
            return _end(CANCELLED, str(error))
        except (KeyboardInterrupt, typer.Abort):
            return _end(CANCELLED, "Cancelled; nothing was written.")
        except BrokenPipeError:
            return DONE  # the reader of our stdout, such as `head`, has seen enough
        except Exception as error:
            if _is_usage_error(error):
                message = str(error.format_message()).rstrip(".")  # type: ignore[attr-defined]
                return _end(UNUSABLE, f"{message}. See {_help_command(error)}.")
            if _lacks_torch(error):
                return _end(
                    UNUSABLE,
                    "This command needs PyTorch and MONAI, which are not installed; install torch and monai "
                    "(segmenting and refining do without).",
                )
            if debug:
                import traceback

                traceback.print_exc()
            what = f"{type(error).__name__}: {error}"
            return _end(
                OUR_FAULT, f"internal error ({what}). Add --debug for the traceback; please report it."
            )


def main() -> None:
    """The console script."""
    for termination in (signal.SIGTERM, getattr(signal, "SIGHUP", None)):
        if termination is not None:
            signal.signal(termination, signal.default_int_handler)  # a polite kill is a cancel
    code = run(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    if unstopped_work():
        os._exit(code)  # its thread is inside a library and would hold the process for seconds
    sys.exit(code)


def _end(code: int, line: str) -> int:
    print(f"{NAME}: {' '.join(line.split())}", file=sys.stderr)
    return code


def _is_usage_error(error: Exception) -> bool:
    """An error of the command line's parser, whichever click typer brings along."""
    return getattr(error, "exit_code", None) == UNUSABLE and hasattr(error, "format_message")


def _lacks_torch(error: Exception) -> bool:
    """An import failed because PyTorch or MONAI, which only training and adaptation need, is not there."""
    return isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] in ("torch", "monai")


def _help_command(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else NAME} --help"
