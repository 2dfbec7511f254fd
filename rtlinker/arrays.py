"""When numpy is worth its import: one rule for every room that has both a scalar and an array engine.

Importing numpy costs about as much as relocating 65,000 sites one by one. Once it is there, arrays win from some
hundred records on. Without numpy everything works, only large tables take longer.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

WORTH_USING = 800
"""Records of one table from which the array engine wins when numpy is already imported."""

WORTH_IMPORTING = 65_000
"""Records of a whole link from which it also repays the import. `make bench engines` measures both."""


def arrays_for(records: int, engine: str = "auto") -> ModuleType | None:
    """numpy, when a table of so many records is better handled by arrays; None for the scalar engine.

    `engine` is `auto`, `scalar` or `array` (which raises ImportError where numpy is missing).
    """
    if engine == "scalar" or (engine == "auto" and records < WORTH_USING):
        return None
    if engine == "auto" and "numpy" not in sys.modules and records < WORTH_IMPORTING:
        return None
    return import_numpy(engine == "array")


def import_numpy(wanted: bool = False) -> ModuleType | None:
    """numpy, or None where it is not installed; ImportError instead when it is `wanted`."""
    try:
        import numpy
    except ImportError:
        if wanted:
            raise
        return None
    return numpy
