"""How closures lie in memory, in the plain runtimes and in the profiling one.

A closure begins with the word that leads to its info table. In code compiled with `-prof` two words follow: the
cost-centre stack that the closure was allocated under, and a word for the heap profiler (StgProfHeader of GHC's
includes/rts/storage/Closures.h, installed with GHC). Then come the fields. Its info table has two more words as well
(StgProfInfo of InfoTables.h), between what a constructor has in front and what all closures have.
"""

from __future__ import annotations

from rtlinker.facts import Fact


class Shape(Fact):
    """What differs between closures of the two kinds; `header` is in words, the info pointer included."""

    header: int
    name_distance: int
    """Bytes in front of a constructor's code, where the distance to its name stands (StgConInfoTable)."""


PLAIN = Shape(1, 24)
PROFILED = Shape(3, 40)


class Table(Fact):
    """What an info table says: closure type, and for a constructor its name, as `GHC.Types.I#`."""

    kind: int
    name: str


# closure types (ClosureTypes.h)
CONSTRUCTORS = range(1, 8)
THUNKS = (15, 16, 17, 18, 19, 20, 21, 22, 24, 26)
INDIRECTIONS = (27, 28)
QUEUE, BLACKHOLE, WEAK, THREAD, BUSY = 37, 38, 49, 52, 58
