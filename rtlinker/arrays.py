"""When numpy is worth its import: one rule for every room that has both a scalar and an array engine.

Importing numpy costs about as much as relocating 150,000 sites one by one. Once it is there, arrays win from a few
thousand records on. Without numpy everything works, only large tables take longer.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

WORTH_USING = 3_000
"""Records from which the array engine wins when numpy is already imported."""

WORTH_IMPORTING = 120_000
"""Records from which it also repays the import. `make bench` measures both."""


def arrays_for(records: int, engine: str = "auto") -> ModuleType | None:
    """numpy, when a table of so many records is better handled by arrays; None for the scalar engine.

    `engine` is `auto`, `scalar` or `array` (which raises ImportError where numpy is missing).
    """
    if engine == "scalar" or (engine == "auto" and records < WORTH_USING):
        return None
    if engine == "auto" and "numpy" not in sys.modules and records < WORTH_IMPORTING:
        return None
    try:
        import numpy
    except ImportError:
        if engine == "array":
            raise
        return None
    return numpy
