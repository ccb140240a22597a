"""Users' files that the store keeps, so that a run needs them no more and means the same from everywhere.

results/<sweep>/files/<digest>    a copy of the file, from before the first run
results/<sweep>/runs/<id>/file    the same file, a link where the file system has them, which goes along with the run
"""

import hashlib
import os
from pathlib import Path

from ebmcli.core import copies, files
from ebmcli.core.errors import UsageError
from ebmcli.core.texts import quoted
from ebmcli.storage import store
from ebmcli.storage.atomic import fresh_name, write
from ebmcli.storage.records import Config

FOLDER, FILE = "files", "file"  # of a sweep, of a run


def file_of(config: Config) -> tuple[str, str] | None:
    """(name, digest) of the file that the data of a run are of, or None."""
    name, data = str(config["task"]).partition(":")[2], config.get("data")
    return (name, data) if name and isinstance(data, str) and files.is_file_name(data) else None


def keep(sweep: Path, config: Config) -> None:
    """Keep a copy of the file of a run. Raises UsageError where that has changed since the run was planned."""
    if (file := file_of(config)) is None:
        return
    name, data = file
    copy = sweep / FOLDER / data
    if files.digest(str(copy)) != data:
        raw = files.content(Path(copies.locate(name, data)), files.LARGE)
        if hashlib.sha256(raw).hexdigest()[: len(data)] != data:
            raise UsageError(f"{quoted(name)}: the file has just changed, give the command again")
        copy.parent.mkdir(exist_ok=True)
        write(copy, raw)
    copies.offer(name, data, copy)


def give(run: Path, config: Config) -> None:
    """Give a run the file of its sweep to keep."""
    if (file := file_of(config)) is None or files.digest(str(run / FILE)) == file[1]:
        return
    copy, fresh = run.parent.parent / FOLDER / file[1], fresh_name(run)
    try:
        os.link(copy, fresh)
        fresh.replace(run / FILE)
    except OSError:  # a file system without links
        fresh.unlink(missing_ok=True)
        write(run / FILE, files.content(copy, files.LARGE), durable=False)


def offer(run: Path, config: Config) -> None:
    """Let the task of a run be of the copy of its file that the run, or its sweep, keeps."""
    if file := file_of(config):
        for copy in (run / FILE, run.parent.parent / FOLDER / file[1]):
            if files.digest(str(copy)) == file[1]:
                copies.offer(*file, copy)
                return


def offer_all(sweep: Path) -> None:
    """Let the tasks of a sweep be of the copies of their files that it keeps. Raises Damaged."""
    listing = store.manifest(sweep)
    for name, data in {file for cell in (listing.cells if listing else ()) if (file := file_of(cell.config))}:
        if files.digest(str(sweep / FOLDER / data)) == data:
            copies.offer(name, data, sweep / FOLDER / data)
