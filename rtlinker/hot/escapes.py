"""Functions local to their objects whose addresses a version's code hands out."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.hot.version import Version


def escaping(version: Version) -> frozenset[int]:
    """The absolute addresses of such functions."""
    return frozenset()
