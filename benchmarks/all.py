"""Every benchmark of speed, one after the other, as one page of markdown.

pip install -e ".[bench]" && python benchmarks/all.py [NAME ...] > docs/speed.md    # some 35 minutes
"""

import ast
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
ASKED = {
    "cd": ["--repetitions", "5", "--seconds", "4"],
    "breakdown": [],
    "align": ["--repetitions", "3", "--seconds", "2"],
    "ocr": ["--repetitions", "3", "--seconds", "4"],
    "words": [],
    "sweep": [],
    "start": ["--calls", "5"],
    "scale": [],
    "report": [],
}


def main() -> None:
    """Print the page; a benchmark that fails ends it."""
    chosen = {name: ASKED[name] for name in sys.argv[1:]} or ASKED
    print("# Speed\n\nEach section is what its command printed, on the day beside it.")
    for name, arguments in chosen.items():
        path = HERE / f"{name}.py"
        about = (ast.get_docstring(ast.parse(path.read_text())) or name).split("\n\n")
        prose = [part for part in about if not part.startswith("    ")]
        command = " ".join(["python", f"benchmarks/{name}.py", *arguments])
        print(f"\n## {name}\n\n" + "\n\n".join(prose) + f"\n\n`{command}`, {time.strftime('%Y-%m-%d')}\n", flush=True)
        done = subprocess.run([sys.executable, str(path), *arguments], stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"{command}: failed, see above")
        print(done.stdout.strip(), flush=True)


if __name__ == "__main__":
    main()
