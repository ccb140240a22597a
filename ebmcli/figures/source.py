"""The source of a picture, written into it: one that shows anything else than what lies there now is drawn again.

No clock is asked, which may be wrong; a picture that is damaged has no source.
"""

import hashlib
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from ebmcli.core.files import LARGE, Unfit, content, digest
from ebmcli.storage.records import Record

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEY = "ebm source"  # of the text in a PNG file


def of_run(run: Path) -> str:
    """The source of the picture of a finished run."""
    return _joined(digest(str(run / name)) for name in ("result.json", "arrays.npz", "curves.jsonl"))


def of_page(sweep: Path, records: Sequence[Record]) -> str:
    """The source of a page that shows these runs of a sweep, those without a result among them."""
    return _joined(
        f"{record.id} {record.status} {digest(str(run / 'result.json'))} {digest(str(run / 'arrays.npz'))}"
        for record in records
        for run in [sweep / "runs" / record.id]
    )


def _joined(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode(errors="surrogatepass")).hexdigest()[:16]


def is_of(picture: Path, source: str) -> bool:
    """True if there is a whole picture with this source."""
    try:
        return _written(content(picture, LARGE)) == source
    except (OSError, Unfit):
        return False


def _written(raw: bytes) -> str:
    """The source that the bytes of a PNG file hold; nothing where they hold none, or are damaged."""
    place, source = 8, ""
    while raw.startswith(SIGNATURE) and place < len(raw):
        kind, end = raw[place + 4 : place + 8], place + 8 + int.from_bytes(raw[place : place + 4], "big")
        if zlib.crc32(raw[place + 4 : end]).to_bytes(4, "big") != raw[end : end + 4]:
            return ""
        if raw[place + 8 : end].startswith(f"{KEY}\0".encode()) and kind == b"tEXt":
            source = raw[place + 9 + len(KEY) : end].decode("latin-1")
        if kind == b"IEND":
            return source
        place = end + 4
    return ""
