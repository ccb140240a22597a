"""The command line."""

import sys

if sys.platform == "win32":  # what follows imports fcntl
    print(
        "ebm: Windows is not supported, because locks and signals are POSIX; install ebm inside WSL and run it there",
        file=sys.stderr,
    )
    sys.exit(2)
