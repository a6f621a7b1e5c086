"""The command `batchmill`: what is meant, how errors are told, and how the process ends."""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from ..errors import BatchmillError
from ..report import ExitCode
from ..version import __version__
from .output import say
from .streams import keep_streams, settle_streams

COMMANDS = ("run", "status", "failures", "retry", "rerun", "verify", "report", "init")
"""Each is a module here, which has `command`."""

END_WITHIN_S = 3.0
"""How long the process may take to end while some thread of the task does not."""

_EXAMPLES = """\b
Examples:
  batchmill init geo                       a small working project in the folder geo
  batchmill run job.toml                   run it; run it again to go on where it ended
  batchmill run task.py --input a.jsonl --output b.jsonl
  batchmill status b.jsonl                 how far it is, and what the next run would do
  batchmill failures b.jsonl               what failed, and why

\b
Exit codes: 0 all done, 1 aborted, 2 usage or configuration, 3 done with failures,
4 incomplete, 75 another run is active, 130 or 143 interrupted. All but 2 can be run again.
"""


class _Commands(click.Group):
    """Imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f".{cmd_name}", __package__).command
        return command


@click.group(cls=_Commands, epilog=_EXAMPLES, context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name="batchmill")
def batchmill() -> None:
    """Run a function over many records and lose nothing."""


def main() -> NoReturn:
    """Run the command that the arguments of this process name, and end the process."""
    _hold_standard_files()
    keep_streams()
    code = invoke(sys.argv[1:])
    settle_streams()
    _end(code)


def invoke(arguments: Sequence[str]) -> int:
    """Run a command; its exit code. Errors are told on standard error, and none is raised."""
    try:
        with batchmill.make_context("batchmill", list(arguments) or ["--help"]) as context:
            return int(batchmill.invoke(context) or ExitCode.DONE)
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except click.ClickException as error:
        return _misused(error)
    except BatchmillError as error:
        _tell(error.message, error.hint)
        return int(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _tell("interrupted")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        return ExitCode.DONE
    except OSError as error:
        _tell(str(error))
        return ExitCode.ABORTED
    except Exception as error:
        say(traceback.format_exc())
        _tell(f"internal error: {type(error).__name__}: {error}",
              "this is a mistake in batchmill; what was committed stands")  # fmt: skip
        return ExitCode.ABORTED


def _misused(error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "batchmill"
    _tell(error.format_message().rstrip("."), f"see {path} --help")
    return ExitCode.USAGE


def _tell(message: str, hint: str | None = None) -> None:
    say(f"error: {message}")
    if hint:
        say(f"hint: {hint}")


def _hold_standard_files() -> None:
    """Keep the numbers 0 to 2 from a file of the job if this process was started without them."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)


def _end(code: int) -> NoReturn:
    """End the process, even if calls that were given up still run in threads.

    A thread cannot be killed, and the interpreter waits for it, so it is not waited for long. That
    coroutines were left behind has been said by their time-outs.
    """
    logging.getLogger("asyncio").disabled = True
    waited_for = [each for each in threading.enumerate() if not each.daemon]
    if len(waited_for) > 1:
        end = threading.Timer(END_WITHIN_S, os._exit, (code,))
        end.daemon = True
        end.start()
    sys.exit(code)
