"""`ebm doctor`: what may be wrong with this machine."""

import time
from pathlib import Path

from ebmcli.checks.machine import examine
from ebmcli.cli.console import console
from ebmcli.cli.exit_codes import ExitCode
from ebmcli.storage.atomic import dumps


def doctor(results: Path, devices: int | None, cache: bool, as_json: bool) -> ExitCode:
    """Print one line per check."""
    out, checks, began = console(), [], time.monotonic()
    for one in examine(results, devices, cache):
        checks.append(one)
        if not as_json:
            advice = "" if one.good else f": {one.advice}"
            out.print(f"{'ok ' if one.good else 'BAD'}  {one.name:9} {one.found}{advice}", markup=False)
    good = all(one.good for one in checks)
    if as_json:
        print(dumps([one._asdict() | {"advice": "" if one.good else one.advice} for one in checks]))
    elif good:
        out.print(f"all is well ({time.monotonic() - began:.0f} s)")
    return ExitCode.OK if good else ExitCode.MACHINE
