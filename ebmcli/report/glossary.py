"""What words mean that tables, messages and flags use: each explained in one place, of which documents are made.

Words of the laboratory stand here; a measure, a verdict and a unit are explained where they are defined.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from ebmcli.core.errors import UsageError
from ebmcli.core.registry import columns, units
from ebmcli.core.units import KINDS
from ebmcli.metrics.collapse import VERDICTS
from ebmcli.report.columns import HEADINGS, explanation
from ebmcli.report.rows import setting
from ebmcli.storage.records import Record
from ebmcli.training.optimiser import OPTIMIZERS, SCHEDULES, SETTINGS

WORDS = {
    "energy": "the function F(x, y), or F(y), that is trained: low where the answer y suits the question x",
    "loss": "what training lowers: a function of the energies of right and wrong answers",
    "sampler": "a source of negatives",
    "task": "a source of data, with the truth about them",
    "seed": "the number from which all that is random in a run follows: at one seed all losses see the same data and "
    "begin with the same weights",
    "answer": "the y of an energy F(x, y); the question is its x. Kinds: points, labels, label sequences",
    "right answer": "an answer of the data; any other is a wrong answer",
    "negative": "an answer that a loss is shown as wrong; the sampler is its source",
    "most offending answer": "the wrong answer of lowest energy",
    "gap": "F(most offending answer) - F(right answer), on held-out data",
    "margin": "the gap that a loss promises to keep",
    "level": "the energy itself, where a difference is not meant",
    "collapse": "an energy that no longer tells right answers from wrong ones; the verdict says in which way",
    "beta": "the inverse temperature of the run: the model is exp(-beta F)/Z",
    "beta*": "the inverse temperature at which held-out data are likeliest",
    "verdict": f"what became of an energy: {', '.join(VERDICTS)}",
    "unit": "a registered loss, sampler, energy or task",
    "need": "what a loss or sampler asks for",
    "gift": "what a sampler, energy or task offers",
    "setting": "a named value of the training, such as steps or lr",
    "hyperparameter": "a named value of a loss, sampler, energy or task, such as margin",
    "grid": "what is asked for: lists of losses, samplers, seeds, settings, which are multiplied",
    "cell": "one run of a grid, resolved",
    "plan": "all cells of a grid, judged: run, warn or refuse",
    "origin": "the flag, file or default that set a value",
    "program": "what is compiled once for many runs: everything but arrays",
    "lane": "the array half of a run, of which a program trains many side by side",
    "launch": "a set of runs that are trained together, one or more on each device",
    "chunk": "one twentieth of a run, after which it is measured: on fewer points and a coarser grid than at its end",
    "replicate": "runs that differ in nothing but the seed, or the fold",
    "sweep": "a folder of runs",
    "manifest": "what a sweep was to make",
    "record": "what is known of one run",
    "claim": "the directory of a run, made before it is trained",
    "executor": "who trains the runs of a sweep",
}
JUDGEMENTS = {
    "run": "the cell makes sense and is run",
    "warn": "the cell is run, and a sentence says what to mind",
    "refuse": "the cell makes no sense, for the reason that is given: it is listed and not run",
}
STATES = {
    "done": "trained and measured",
    "diverged": VERDICTS["diverged"],
    "running": "being trained now",
    "pending": "asked for and not begun",
    "refused": JUDGEMENTS["refuse"],
    "failed": "it raised an error, which `ebm show` prints",
    "killed": "its process ended before it was saved; the same command runs it again",
    "timeout": "it took longer than --timeout, twice",
    "oom": "there was too little memory for it",
    "crashed": "its process died of a signal, which is named",
    "damaged": "its files cannot be read; the same command runs it again",
}
FINDINGS = {
    "better": "the difference is beyond the noise of the seeds, in the good direction",
    "worse": "the difference is beyond the noise of the seeds, in the bad direction",
    "not significant": "the difference is within the noise of the seeds: p ≥ 0.05 after adjustment",
    "rank": "1 + the number of rows that are significantly better: rows within noise of each other share one",
}
PLURALS = (("ies", "y"), ("es", ""), ("s", ""))  # how a word ends, and in the singular
IN_HEADINGS = ("a column", "a measure", "a word", "a finding")  # beginnings of kinds that explain a heading
IN_CELLS = {  # the kind that explains a cell, by its heading
    "loss": "a loss",
    "negatives": "a sampler",
    "energy": "an energy",
    "task": "a task",
    "verdict": "a verdict",
    "status": "a state",
    "finding": "a finding",
}


@dataclass(frozen=True)
class Explanation:
    """What a word means. kind: what it is a word for, as `a verdict`; name: as it is written."""

    name: str
    kind: str
    text: str


def explanations() -> Iterator[Explanation]:
    """All that can be explained, words first."""
    for words, kind in (
        (WORDS, "a word"),
        (VERDICTS, "a verdict on an energy"),
        (STATES, "a state of a run"),
        (FINDINGS, "a finding of a comparison"),
        (JUDGEMENTS, "a judgement before anything runs"),
    ):
        yield from (Explanation(name, kind, text) for name, text in words.items())
    for heading, text in HEADINGS.items():
        yield Explanation(heading, "a column of tables", text)
    yield from measures()
    for unit_kind in KINDS:
        for unit in units(unit_kind).values():
            yield Explanation(unit.name, f"{'an' if unit_kind == 'energy' else 'a'} {unit_kind}", unit.formula)
    yield from _settings()


def measures() -> Iterator[Explanation]:
    """The measures."""
    for name, column in columns().items():
        headed = "" if column.label == name else f", headed {column.label}"
        good = f", {column.better} is better" if column.better else ""
        yield Explanation(name, f"a measure{headed}{good}", explanation(name))


def _settings() -> Iterator[Explanation]:
    choices = {"optimizer": list(OPTIMIZERS), "schedule": list(SCHEDULES)}
    for name, parameter in SETTINGS.items():
        among = f"one of {', '.join(choices[name])}; " if name in choices else ""
        yield Explanation(name, "a setting of the training", f"{among}default {setting(parameter.default)}, or by task")
    owners: dict[str, list[str]] = {}
    for kind in KINDS:
        for unit in units(kind).values():
            for parameter in unit.parameters.values():
                owners.setdefault(parameter.name, []).append(f"{unit.name} ({setting(parameter.default)})")
    for name, names in owners.items():
        yield Explanation(name, "a hyperparameter", f"with its default, of {', '.join(names)}")


@cache
def by_word() -> dict[str, list[Explanation]]:
    """The explanations by the words under which they are looked up."""
    words: dict[str, list[Explanation]] = {}
    for explained in explanations():
        names = [explained.name, *([columns()[explained.name].label] if explained.kind.startswith("a measure") else [])]
        for name in dict.fromkeys(map(_plain, names)):
            words.setdefault(name, []).append(explained)
    return words


def meanings(word: str) -> list[Explanation]:
    """All meanings of a word, then those of its singular; empty where it is not known."""
    known, plain = by_word(), _plain(word)
    singulars = (plain.removesuffix(end) + single for end, single in PLURALS if plain.endswith(end))
    return [*known.get(plain, []), *next((known[name] for name in singulars if name in known), [])]


def explain(word: str) -> list[Explanation]:
    """All meanings of a word. Raises UsageError where there is none, with words that are like it."""
    known, plain = by_word(), _plain(word)
    if explained := meanings(word):
        return explained
    near = get_close_matches(plain, known, n=3, cutoff=0.6) or [name for name in known if plain and plain in name][:3]
    hint = f"did you mean {' or '.join(known[name][0].name for name in near)}? " if near else ""
    raise UsageError(f"no explanation of {word!r}: {hint}`ebm explain` lists all words")


def heading_tooltip(column: str) -> str:
    """What a heading means, in one line; nothing where it is not explained."""
    return _of_kind([column, column.partition(" in ")[0]], IN_HEADINGS)


def cell_tooltip(column: str, cell: str) -> str:
    """What a cell under this heading means, in one line: a unit or a verdict; nothing for other words."""
    kind = IN_CELLS.get(column)
    return _of_kind([cell, cell.partition(" (")[0]], (kind,)) if kind else ""


def _of_kind(words: Sequence[str], kinds: tuple[str, ...]) -> str:
    texts = (one.text for word in words for one in meanings(word) if one.kind.startswith(kinds))
    return next(texts, "")


def reading_line(records: Sequence[Record]) -> str:
    """A line under the first table: what its main columns say, and how to learn more."""
    judged = dict.fromkeys(str(record.metrics["verdict"]) for record in records if record.metrics.get("verdict"))
    verdicts = [f"{name}: {VERDICTS[name]}" for name in list(judged)[:1] if name in VERDICTS]
    parts = [f"gap: {WORDS['gap']}", *verdicts, "`ebm explain WORD` explains every other word"]
    return "; ".join(parts) + "."


def _plain(word: str) -> str:
    """A word as it is looked up: in small letters, without arrows, blanks for dashes and underscores."""
    spelt = word.strip().strip("↓↑ ").casefold().replace("β", "beta")
    return " ".join(spelt.replace("_", " ").replace("-", " ").split())
