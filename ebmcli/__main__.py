"""`ebm`, and `python -m ebmcli`: until everything is imported, Ctrl-C ends the process without a word."""

import os
import signal
from typing import Any


def main() -> None:
    """Import the command line and run it."""
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not where the caller ignores it
    if heard:
        signal.signal(signal.SIGINT, _leave)
    from ebmcli.cli.app import main as command

    if heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        command()
    finally:
        if heard:
            signal.signal(signal.SIGINT, _leave)


def _leave(number: int, frame: Any) -> None:
    os._exit(130)


if __name__ == "__main__":
    main()
