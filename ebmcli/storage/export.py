"""Runs of a sweep as files for other programs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ebmcli.core.errors import UsageError, unknown
from ebmcli.storage import frames, store
from ebmcli.storage.atomic import dumps, write
from ebmcli.storage.spreadsheet import to_csv


def export(sweep: Path, to: str, output: Path, with_curves: bool) -> None:
    """Write the runs of a sweep, or their curves, for another program. to: one of FORMATS."""
    if to not in FORMATS:
        raise unknown("format", to, FORMATS)
    FORMATS[to](sweep, output, with_curves)


def _lines(sweep: Path, with_curves: bool) -> list[dict[str, Any]]:
    return frames.curves(sweep) if with_curves else frames.rows(sweep)


def _csv(sweep: Path, output: Path, with_curves: bool) -> None:
    lines = _lines(sweep, with_curves)
    write(output, to_csv(frames.heads(lines), lines).encode())


def _parquet(sweep: Path, output: Path, with_curves: bool) -> None:
    with _extra("pyarrow", "parquet"):
        import pandas
        import pyarrow  # noqa: F401
    lines = _lines(sweep, with_curves)
    pandas.DataFrame(lines, columns=frames.heads(lines)).to_parquet(output, index=False)


def _tensorboard(sweep: Path, output: Path, with_curves: bool) -> None:
    """One folder of events per run: its curves as scalars, its configuration as text."""
    with _extra("tensorboardX", "tensorboard"):
        from tensorboardX import SummaryWriter
    for record in store.records(sweep):
        lines = store.curves(sweep / "runs" / record.id)
        if not lines:
            continue
        with SummaryWriter(str(output / record.id)) as writer:
            writer.add_text("config", f"```\n{dumps(record.config)}\n```")
            for line in lines:
                for name, value in line.items():
                    if name not in ("step", "seconds") and value is not None:
                        writer.add_scalar(name, value, line["step"])


FORMATS: dict[str, Callable[[Path, Path, bool], None]] = {
    "csv": _csv,
    "parquet": _parquet,
    "tensorboard": _tensorboard,
}


@contextmanager
def _extra(package: str, extra: str) -> Iterator[None]:
    """Say which extra to install where the import of its package fails."""
    try:
        yield
    except ImportError:
        raise UsageError(f"{package} is not installed: pip install 'ebmcli[{extra}]'") from None
