"""Files that users name."""

import hashlib
from functools import lru_cache
from pathlib import Path


@lru_cache
def digest(file: str) -> str:
    """12 hexadecimal digits of the SHA-256 of a file, or nothing where it cannot be read."""
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:12]
    except OSError:
        return ""
