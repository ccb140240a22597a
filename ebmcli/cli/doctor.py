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
    for check in examine(results, devices, cache):
        checks.append(check)
        if not as_json:
            advice = "" if check.good else f": {check.advice}"
            out.print(f"{'ok ' if check.good else 'BAD'}  {check.name:9} {check.found}{advice}", markup=False)
    good = all(check.good for check in checks)
    if as_json:
        print(dumps([check._asdict() | {"advice": "" if check.good else check.advice} for check in checks]))
    elif good:
        out.print(f"all is well ({time.monotonic() - began:.0f} s)")
    return ExitCode.OK if good else ExitCode.MACHINE
