"""Runs of a sweep as files for other programs."""

import io
import platform
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ebmcli.core.errors import UsageError, unknown
from ebmcli.core.texts import quoted
from ebmcli.storage import frames, output, store
from ebmcli.storage.atomic import dumps, naming_errors, write
from ebmcli.storage.spreadsheet import to_csv

SUFFIXES = {".csv": "csv", ".parquet": "parquet"}  # of the output, and what they say
EVENTS = "events.out.tfevents."  # how the names of tensorboard's files begin


def export(sweep: Path, to: str, into: Path, with_curves: bool) -> None:
    """Write the runs of a sweep, or their curves, for another program. to: one of FORMATS."""
    output.check(into, folder=to == "tensorboard")
    FORMATS[format_of(to)](sweep, into, with_curves)


def format_of(name: str) -> str:
    """The name, if it is one of FORMATS. Raises UsageError."""
    if name not in FORMATS:
        raise unknown("format", name, FORMATS)
    return name


def _lines(sweep: Path, with_curves: bool) -> list[dict[str, Any]]:
    return frames.curves(sweep) if with_curves else frames.rows(sweep)


def _csv(sweep: Path, into: Path, with_curves: bool) -> None:
    lines = _lines(sweep, with_curves)
    output.deliver(into, to_csv(frames.heads(lines), lines).encode(errors="backslashreplace"))


def _parquet(sweep: Path, into: Path, with_curves: bool) -> None:
    with _extra("pyarrow", "parquet"):
        import pandas
        import pyarrow  # noqa: F401
    lines, buffer = _lines(sweep, with_curves), io.BytesIO()
    columns = {name: _of_one_type([line.get(name) for line in lines]) for name in frames.heads(lines)}
    pandas.DataFrame(columns).to_parquet(buffer, index=False)
    output.deliver(into, buffer.getvalue())


def _of_one_type(values: list[Any]) -> list[Any]:
    """The values of a column; as text, which has to be UTF-8, unless all are numbers, or all are true or false."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} or kinds <= {bool}:
        return values
    return [None if value is None else _clean(str(value)) for value in values]


def _clean(text: str) -> str:
    """The text as UTF-8 has it: of bytes that are none, their escapes."""
    return text.encode(errors="backslashreplace").decode()


def _tensorboard(sweep: Path, into: Path, with_curves: bool) -> None:
    """One folder of events per run: its curves as scalars, its configuration as text."""
    with _extra("tensorboardX", "tensorboard"):
        import tensorboardX  # noqa: F401
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.record_writer import masked_crc32c
        from tensorboardX.summary import scalar, text
    runs = [(record, store.curves(sweep / "runs" / record.id)) for record in store.records(sweep)]
    runs = [(record, lines) for record, lines in runs if lines]
    if not runs:
        raise UsageError(f"{quoted(sweep)}: no run has curves yet, there is nothing to write")
    for run in [into / record.id for record, _ in runs]:
        if run.exists() and not (run.is_dir() and all(file.name.startswith(EVENTS) for file in run.iterdir())):
            raise UsageError(f"--output {quoted(into)}: {quoted(run)} holds other files; name another folder")
    with naming_errors(into), output.folder_aside(into) as fresh:
        for record, lines in runs:
            (fresh / record.id).mkdir()
            now = time.time()
            events = [
                Event(wall_time=now, file_version="brain.Event:2"),
                Event(wall_time=now, summary=text("config", f"```\n{dumps(record.config)}\n```")),
                *(
                    Event(wall_time=now, step=line["step"], summary=scalar(_clean(name), value))
                    for line in lines
                    for name, value in line.items()
                    if name not in ("step", "seconds") and value is not None
                ),
            ]
            content = b"".join(_framed(event.SerializeToString(), masked_crc32c) for event in events)
            write(fresh / record.id / f"{EVENTS}{now:.0f}.{platform.node()}", content, durable=False)


def _framed(event: bytes, check: Callable[[bytes], int]) -> bytes:
    """An event as it stands in a file: its length and itself, each with a checksum."""
    head = struct.pack("<Q", len(event))
    return head + struct.pack("<I", check(head)) + event + struct.pack("<I", check(event))


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
