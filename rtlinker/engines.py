"""Which engine handles an object: Python one record at a time, or loops of machine code over all records.

Getting the loops ready costs about as much as relocating 4,000 sites one by one. Once they are, they win from some
dozen records on.
"""

from __future__ import annotations

import sys

NATIVE = "rtlinker.link.native"

WORTH_USING = 80
"""Records of one object from which the native engine wins when its loops are ready."""

WORTH_PREPARING = 4_000
"""Records of a whole link from which it also repays getting them ready. `make bench engines` measures both."""


def prepare(records: int, engine: str = "auto") -> None:
    """Get the loops ready when a link of so many records repays it."""
    if engine == "native" or (engine == "auto" and records >= WORTH_PREPARING):
        __import__(NATIVE)


def is_native(records: int, engine: str = "auto") -> bool:
    """Whether an object with so many records is better handled by the native engine.

    `engine` is `auto`, `scalar` or `native`.
    """
    if engine != "auto":
        return engine == "native"
    return records >= WORTH_USING and NATIVE in sys.modules
