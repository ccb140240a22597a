"""Command lines and experiment files, right and wrong, by a grammar: the same ones for the same number."""

import random

import typer

from ebmcli.cli.app import app
from ebmcli.core.registry import units
from ebmcli.core.units import KINDS
from ebmcli.planning.values import AXES, names_of_others, parameters

COMMANDS = typer.main.get_command(app).commands
NOT_SAID = {"yes", "help", "install_completion", "show_completion"}  # a million runs take their time
NUMBERS = [
    "0", "1", "2", "5", "-1", "-0", "0.5", "1e-3", "1e400", "-1e400", "1e-400", "nan", "inf", "-inf", "9" * 22,
    "9" * 5000, "0x10", "1_000", "0123", "1,2", "1,", ",", ",,", "0..2", "2..0", "0..", "..2", "0..99999", "0..999999",
    "0-4", "0:4", "0...4", "1..1", "-1..2", "0..2,5", "1.5..2", "٣", "１", "1 2", " 1 ", "+1", "1.", ".5", "1e", "e5",
    "true", "None",
]  # fmt: skip
TEXTS = [
    "", " ", "x", "all", "default", "none", "ALL", "all,all", "-", "--", "=", "a=b", "?", "*", "é", "日本", "\udce9",
    "\x1b[31m", "a\nb", "a\tb", "[/]", "[bold]", "[", "%s", "%(x)s", "{}", "{0}", "$HOME", "`x`", "'", '"', "\\", "|",
    "<b>", "=1+1", "x" * 300, "é" * 300, "x" * 5000, "../..", "/", ".", "..", "~", "./x", "nowhere/x", "results",
    "x.csv", "grid.toml", "points:", "points:x.csv", "points:nowhere.csv", "points:.", "points:a,b.csv", "moons:x", ":",
    "x:y:z", "\u202e", "a\u200bb",
]  # fmt: skip
KNOWN = [name for kind in KINDS for name in units(kind)]
CALLED = [word for kind in KINDS for unit in units(kind).values() for word in unit.also]
SETTINGS = [*parameters(), *(word for words in names_of_others().values() for word in words)]
LETTERS = "abcdefghijklmnopqrstuvwxyz-_0123456789"


def misspelt(chance, word):
    """The word with a letter changed, put in, left out or swapped."""
    place = chance.randrange(len(word) + 1)
    letter = chance.choice(LETTERS)
    head, tail = word[:place], word[place:]
    return chance.choice(
        [head + letter + tail, head + tail[1:], head + letter + tail[1:], head + tail[1:2] + tail[:1] + tail[2:]]
    )


def word(chance, good, wrong=0.2):
    """One of the good words, or something else."""
    if chance.random() > wrong:
        return chance.choice(good)
    other = chance.choice([KNOWN, CALLED, SETTINGS, NUMBERS, TEXTS, good])
    chosen = chance.choice(other)
    return chance.choice([chosen, misspelt(chance, chosen), chosen.upper(), f"{chosen},{chance.choice(good)}"])


def value(chance, name, wrong=0.2):
    """A value of the option or hyperparameter of that name, often a wrong one."""
    if name in KINDS:
        return word(chance, [*units(name), f"{chance.choice([*units(name)])},{chance.choice([*units(name)])}"], wrong)
    if name in parameters():
        known = parameters()[name]
        good = list(known.choices) or ["1", "2", "3", "1,2", "1..3"] + (["0.1", "0.5,1"] if known.type is float else [])
        return word(chance, good, wrong)
    usual = {
        "seed": ["0", "1", "0,1", "0..2", "5"],
        "set": [f"{chance.choice([*parameters()])}={chance.choice(NUMBERS[:8])}"],
        "budget": ["100000", "1_000_000"], "name": ["fresh", "x"], "results": ["results", "elsewhere"],
        "devices": ["1", "2"], "timeout": ["60", "1"], "retry": ["none", "failed", "failed,killed"],
        "executor": ["local", "here", "dask", "slurm"], "format": ["md", "csv", "json", "latex", "html", "text"],
        "to": ["csv"], "output": ["out.md", "out.csv", "nowhere/out.md"], "measure": ["kl", "auroc"],
        "baseline": ["log", "hinge", "log/uniform"], "grid": ["loss,sampler", "loss,seed", "seed,loss"],
    }.get(name, ["x", "1"])  # fmt: skip
    return word(chance, usual, wrong * (name not in ("results", "output")))


def options(chance, command, most=5):
    """Some options of a command, some of them wrong, or twice."""
    known = [one for one in command.params if one.param_type_name == "option" and one.name not in NOT_SAID]
    line = []
    chosen = chance.sample(known, k=min(chance.randrange(most), len(known)))
    if chance.random() < 0.1:
        chosen += chosen[:1]
    for option in chosen:
        flag = chance.choice([*option.opts, *option.secondary_opts])
        if chance.random() < 0.06:
            flag = chance.choice([misspelt(chance, flag), f"--{chance.choice(SETTINGS)}", f"-{flag[2:]}", flag.upper()])
        if getattr(option, "is_flag", False):
            line += [flag] if chance.random() < 0.9 else [f"{flag}=1"]
        elif chance.random() < 0.95:
            given = value(chance, option.name)
            line += chance.choice([[flag, given], [f"{flag}={given}"]])
        else:
            line += [flag]
    return line


PLACES = {
    "sweep": ["grid.toml"],
    "list": ["losses", "samplers", "energies", "tasks", "measures", "settings"],
    "check": ["log"],
}


def command_line(number):
    """A command line of `ebm`."""
    chance = random.Random(number)
    name = chance.choice(["run"] * 5 + ["sweep"] * 5 + [*COMMANDS] * 2)
    command, line = COMMANDS[name], [name]
    if name in ("run", "sweep") and chance.random() < 0.8:
        line += ["--loss", value(chance, "loss")]
    for place in [one for one in command.params if one.param_type_name == "argument"]:
        if place.required or chance.random() < 0.5:
            line.append(word(chance, PLACES.get(name, ["x"])))
    line += options(chance, command)
    if chance.random() < 0.1:
        line.insert(chance.randrange(len(line) + 1), word(chance, [*COMMANDS, "-h", "--version"]))
    if chance.random() < 0.03:
        line[0] = misspelt(chance, line[0])
    return line or ["-h"]


# --- experiment files ------------------------------------------------------------------------------------------------

SCALARS = ["0", "1", "-1", "0.5", "1e400", "nan", "inf", "true", "2026-11-26", "07:32:00", "9" * 30, "''", "0123", "x"]
USUAL = ["steps", "lr", "batch_size", "beta", "weight_decay", "optimizer", "schedule"]  # which every run has
BROKEN = ["=", "[", "]", "x", "# \x00", "a.b.c = 1", "'", "é = 1", "losses = 'log'", "[loss]", "[loss.log]", "\ufeff"]


def text_of(chance, name):
    """A value as text of TOML."""
    return "'" + value(chance, name, wrong=0.05).replace("'", "").replace("\n", "\\n").replace("\x1b", "") + "'"


def toml(chance, name):
    """A value of TOML for that key."""
    plain, scalar = text_of(chance, name), chance.choice(SCALARS)
    listed = f"[{', '.join(text_of(chance, name) for _ in range(chance.randrange(1, 4)))}]"
    wrong = chance.choice(
        [scalar, f"[{listed}]", f"{{a = {scalar}}}", f"[{plain}, {listed}]", "{}", "[]", f"[{scalar}]"]
    )
    return chance.choices([plain, listed, wrong], [10, 8, 1])[0]


def table(chance):
    """A table of one unit, or nearly one."""
    kind = chance.choice([*KINDS])
    owner = chance.choice([*units(kind)])
    lines = [f"[{kind}.{owner}]"]
    if chance.random() < 0.15:
        lines = [
            chance.choice(
                [f"[{KINDS[kind]}.{owner}]", f"[{owner}]", f"[{kind}]", f"[[{kind}.{owner}]]", f"[{kind}.'']",
                 f"[{kind}.{misspelt(chance, owner)}]", f"[{kind}.{owner}.x]", f"[ {kind} . {owner} ]"]
            )
        ]  # fmt: skip
    for name in chance.sample([*units(kind)[owner].parameters], k=min(1, len(units(kind)[owner].parameters))):
        lines.append(f"{name if chance.random() < 0.95 else chance.choice(SETTINGS)} = {toml(chance, name)}")
    return lines


def experiment_file(number):
    """The text of an experiment file."""
    chance = random.Random(f"file {number}")
    keys = [*(["losses"] if chance.random() < 0.9 else []), *chance.sample([*AXES][2:] + USUAL, k=chance.randrange(4))]
    lines = []
    for key in keys:
        if chance.random() < 0.05:
            wrong = [misspelt(chance, key), f'"{key}"', key.upper(), chance.choice(SETTINGS), key.replace("_", "-")]
            key = chance.choice(wrong)
        lines.append(f"{key} = {toml(chance, AXES.get(key, key))}")
    for _ in range(chance.choice([0, 0, 1, 2])):
        lines += table(chance)
    if chance.random() < 0.1:
        lines.insert(chance.randrange(len(lines) + 1), chance.choice(BROKEN))
    return "\n".join(lines) + "\n"
