"""`ebm explain`: what a word means, from the glossary and the registry."""

from itertools import groupby
from typing import TYPE_CHECKING

from ebmcli.cli.console import console
from ebmcli.cli.listing import describe_unit, print_entry, print_units
from ebmcli.core.registry import units
from ebmcli.core.units import KINDS
from ebmcli.report import glossary
from ebmcli.report.glossary import Explanation
from ebmcli.storage.atomic import dumps

if TYPE_CHECKING:
    from rich.console import Console


def explain(word: str | None, as_json: bool) -> None:
    """Print all meanings of a word, or all words. Raises UsageError where a word has none."""
    meanings = list(glossary.explanations()) if word is None else glossary.explain(word)
    if as_json:
        print(dumps([vars(meaning) for meaning in meanings]))
    elif word is None:
        for kind, same in groupby(meanings, key=lambda meaning: meaning.kind.partition(",")[0]):
            print_entry(kind, "", [", ".join(meaning.name for meaning in same)], console())
    else:
        for meaning in meanings:
            _print_meaning(meaning, console())


def _print_meaning(meaning: Explanation, out: "Console") -> None:
    known = [units(kind) for kind in KINDS if meaning.kind.endswith(f" {kind}")]
    if known and meaning.name in known[0]:
        print_units([describe_unit(known[0][meaning.name])], "text")
    else:
        print_entry(meaning.name, meaning.kind, [meaning.text], out)
