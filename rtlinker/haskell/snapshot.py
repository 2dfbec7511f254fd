"""Interface files (`.hi`) as they were when a module was loaded.

They lie beside the objects, or below the directory of an archive, and are overwritten with them. So their bytes are
kept; GHC is asked what they say only when somebody needs to know.
"""

from __future__ import annotations

import os

from rtlinker.facts import Fact, replace
from rtlinker.haskell.interface import Interface, read_interface, shown
from rtlinker.live.files import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtlinker.haskell.objects import HaskellObject


def interfaces_of(one: HaskellObject) -> list[str]:
    """The interface files that GHC wrote with an object: `Test.hi` for `Test.o`, `Test.dyn_hi` for `Test.dyn_o`.

    The object may be called otherwise than its module; members of an archive are not.
    """
    own = one.ending[one.ending.rfind(".") :] if one.ending else ""
    endings = dict.fromkeys([own.removesuffix("o") + "hi", ".hi"])
    if one.is_member:
        choices = [[one.beside(module, ending) for ending in endings] for module in one.modules]
    else:
        choices = [[one.path.removesuffix(own) + ending for ending in endings]]
    found = [next(filter(os.path.isfile, paths), None) for paths in choices]
    return [path for path in found if path is not None]


class Snapshot(Fact):
    """The interface files beside some objects, as they were: path and bytes of each."""

    files: tuple[tuple[str, bytes], ...]

    @classmethod
    def of(cls, objects: Iterable[HaskellObject]) -> Snapshot:
        """Those of objects that have one now."""
        found = dict.fromkeys([path for one in objects for path in interfaces_of(one)])
        return cls(tuple([(path, read_file(path)) for path in found]))

    def interfaces(self, ghc: str) -> tuple[Interface, ...]:
        """What they say. Raises BadObjectError for what this GHC cannot read."""
        return tuple([_interface(path, data, ghc) for path, data in self.files])


_known: dict[bytes, Interface] = {}
"""What interface files say, by their bytes: the newest few."""

KNOWN = 64


def _interface(path: str, data: bytes, ghc: str) -> Interface:
    """What an interface file says that had these bytes; asks GHC only for bytes that were not seen lately."""
    if data not in _known:
        from tempfile import TemporaryDirectory

        with TemporaryDirectory(prefix="rtlinker-") as directory:
            copy = os.path.join(directory, os.path.basename(path))  # noqa: PTH118, PTH119
            with open(copy, "wb") as file:  # noqa: PTH123
                file.write(data)
            _known[data] = replace(read_interface(shown(copy, ghc), path), path=path)
        for oldest in [*_known][:-KNOWN]:
            del _known[oldest]
    return _known[data]
