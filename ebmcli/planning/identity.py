"""The identity of a run: what makes two configurations the same run, across versions of this package.

It is the whole configuration, but for settings that were added later and stand at the value that means "as before" (see
`core.parameters.Before`), and with the version of every unit whose figures have changed (`UNIT_version`, from 2 on).
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ebmcli.core.registry import find_or_none
from ebmcli.core.units import KINDS, Combination, Unit
from ebmcli.planning.values import parameters
from ebmcli.training.optimiser import SETTINGS

LONGEST = 150  # bytes of the words of an id: it names a folder, of which file systems take 255


def canonical(value: Any) -> str:
    """One JSON text for one value, whatever the order of its keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def run_id(config: Mapping[str, Any]) -> str:
    """Readable words and a hash of the identity: hinge-langevin-moons-s0-1a2b3c4d5e6f."""
    known = parameters()

    def as_before(name: str, value: Any) -> bool:
        before = known[name].before if name in known else None
        return before is not None and value == before.value

    identity = {name: value for name, value in config.items() if not as_before(name, value)}
    digest = hashlib.sha256(canonical(identity).encode()).hexdigest()[:12]
    return f"{readable(config)}-s{config['seed']}-{digest}"


def readable(config: Mapping[str, Any], most: int = LONGEST) -> str:
    """hinge-langevin-moons; of a task points:here/there.csv its file's name alone. most: bytes of UTF-8."""
    task, _, file = config["task"].partition(":")
    named = f"{task}-{Path(file).stem}" if file else task
    words = re.sub(r"[^\w.-]+", "-", f"{config['loss']}-{config['sampler']}-{named}")
    return words.encode()[:most].decode(errors="ignore")


def versions(units: Combination) -> dict[str, int]:
    """The versions of the units that have changed their figures: {"loss_version": 2}; those of a first version have
    none."""
    return {f"{unit.kind}_version": unit.version for unit in _units(units) if unit.version > 1}


def complete(units: Combination, config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration that an older version wrote, with the settings that were added since, each as before."""
    return {**_added(_units(units)), **config}


def unsaid(config: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a configuration leaves out: of settings that were added after it was written, and versions that
    are the first. Configurations are compared with these: what only one of them says is a difference, too."""
    known = (find_or_none(kind, config.get(kind, "")) for kind in KINDS)
    return {f"{kind}_version": 1 for kind in KINDS} | _added(unit for unit in known if unit)


def _added(units: Iterable[Unit[Any]]) -> dict[str, Any]:
    owned = [SETTINGS, *(unit.parameters for unit in units)]
    return {name: one.before.value for table in owned for name, one in table.items() if one.before is not None}


def _units(units: Combination) -> Iterable[Unit[Any]]:
    return units.task, units.loss, units.sampler, units.energy
