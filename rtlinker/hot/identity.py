"""Which variable of the old version a new one is."""

from __future__ import annotations

from rtlinker.hot.errors import IncompatibleLayoutError
from rtlinker.hot.findings import shortened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from rtlinker.hot.carry import Placed
    from rtlinker.hot.variables import Key, Variable


def pair_variables(
    variables: list[Variable], known: Mapping[Key, Placed], anew: frozenset[str]
) -> list[tuple[Variable, Placed]]:
    """New variables with the `known` ones that they are; those named in `anew` need not be told apart.

    Raises IncompatibleLayoutError for others that cannot be.
    """
    counts: dict[Key, int] = {}
    for variable in variables:
        counts[_counted(variable)] = counts.get(_counted(variable), 0) + 1
    pairs, unclear = [], {}
    for variable in variables:
        candidates = _candidates(variable, known)
        if len(candidates) == 1 and counts[_counted(variable)] == 1 and not _are_twins(variable, candidates[0]):
            pairs.append((variable, candidates[0]))
        elif candidates and not {variable.name, variable.symbol} & anew:
            unclear[variable.symbol] = ", ".join(placed.variable.name for placed in candidates)
    if unclear:
        rows = [(symbol, f"may be {names}") for symbol, names in unclear.items()]
        hint = "compile with -g: it tells static variables of functions apart"
        raise IncompatibleLayoutError(list(unclear), shortened(rows), hint)
    return pairs


def _candidates(variable: Variable, known: Mapping[Key, Placed]) -> list[Placed]:
    """Old variables that a new one may be: its own key, or one of its name where only one side has scopes."""
    exact = known.get(variable.key)
    if exact is not None and variable.key[0] != "numbered":
        return [exact]
    if not variable.local:
        return []
    kind, unit, name = variable.key[0], variable.key[1], variable.key[-1]
    found = []
    for key, placed in known.items():
        same = len(key) > 2 and key[1] == unit and key[-1].partition("#")[0] == name.partition("#")[0]
        if not same or not placed.variable.local:
            continue
        numbered = "numbered" in {kind, key[0]} and (kind != key[0] or kind == "numbered")
        if numbered or (kind == key[0] == "static" and key[2:-1] == variable.key[2:-1]):
            found.append(placed)
    return found


def _counted(variable: Variable) -> Key:
    """Under what variables count as ones that could be each other."""
    return (*variable.key[:2], variable.key[-1]) if variable.key[0] == "numbered" else variable.key


def _are_twins(new: Variable, old: Placed) -> bool:
    """Whether there is another variable of that name and scope in one version only, so that this may be either."""
    return new.key != old.variable.key and "#" in new.key[-1] + old.variable.key[-1]
