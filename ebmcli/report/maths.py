"""The formulas of the registry as LaTeX: they are written once, as text that a terminal can show."""

import re
from collections.abc import Collection

GREEK = ("alpha", "beta", "gamma", "delta", "sigma", "tau")
NAMES = {name: f"\\{name} " for name in (*GREEK, "exp", "log", "ln", "min", "max")}
NAMES |= {"laplacian": "\\Delta ", "grad": "\\nabla ", "sigmoid": "\\operatorname{sigmoid}"}
# In this order: the first that fits at a place is taken.
PATTERNS = (
    (r"sum over all (y-?) of", lambda m: f"\\sum_{{{_signed(m[1])}}} "),
    (r"sum over ([A-Z]) of", lambda m: f"\\sum_{{{m[1]}}} "),
    (r"min over all (y) of", lambda m: f"\\min_{{{m[1]}}} "),
    (r"\((\d|\w)/(beta)\)", lambda m: f"\\tfrac{{{m[1]}}}{{\\{m[2]}}} "),
    (r"\b(\d)/(\d)\b", lambda m: f"\\tfrac{{{m[1]}}}{{{m[2]}}} "),
    (r"sqrt\((\w+)\)", lambda m: f"\\sqrt{{{m[1]}}} "),
    (r"N\((\d), (\d)\)", lambda m: f"\\mathcal{{N}}({m[1]}, {m[2]})"),
    (r"\]\+", lambda _: "] _{+}"),  # without the blank, markdown may take two of them for emphasis
    (r"(?<![A-Za-z])[FGhy][+-](?![\w(])", lambda m: _signed(m[0])),
    (r"\^(\d)", lambda m: f"^{{{m[1]}}}"),
    (r"_([A-Za-z])(?![A-Za-z])", lambda m: f"_{{{m[1]}}}"),
    (r"<=", lambda _: "\\le "),
    (r"[A-Za-z]{2,}", lambda m: NAMES.get(m[0]) or f"\\text{{{m[0]}}}"),
    (r"[{}$&#%~^_\\]", lambda m: {"\\": "\\backslash ", "~": "\\sim "}.get(m[0], f"\\{m[0]}")),
)
_PLACES = re.compile("|".join(f"(?P<at{n}>{pattern})" for n, (pattern, _) in enumerate(PATTERNS)))


def latex(formula: str, variables: Collection[str] = ()) -> str:
    """The formula in LaTeX's maths; words that are no mathematics stand as text. variables: words that are."""
    found = _PLACES.sub(lambda match: _replaced(match[0]), formula)
    for name in variables:
        found = found.replace(f"\\text{{{name}}}", f"\\mathrm{{{name}}} ")
    # Words beside each other become one text, with the single letter between them (`a random direction`).
    found = re.sub(r"(?<=} )a(?= \\text)|^a(?= \\text)|(?<=, )a(?= \\text)", r"\\text{a}", found)
    while (joined := re.sub(r"\\text\{([^}]*)\} \\text\{([^}]*)\}", r"\\text{\1 \2}", found)) != found:
        found = joined
    found = re.sub(r" \\text\{([^}]*)\}", r"\\text{ \1}", found)
    return " ".join(re.sub(r"\\text\{([^}]*)\} ", r"\\text{\1 }", found).split()).replace("' ", "'\\, ")


def _replaced(text: str) -> str:
    for pattern, put in PATTERNS:
        match = re.fullmatch(pattern, text)
        if match:
            return put(match)
    return _signed(text)  # a letter with its sign, whose pattern looks around itself


def _signed(name: str) -> str:
    return f"{name[0]}^{{{name[1]}}}" if name[1:] else name
