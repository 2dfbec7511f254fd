"""All members of the corpus by several processes."""

from __future__ import annotations

import os
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, NamedTuple

from tests.corpus.attempt import Outcome, attempt
from tests.corpus.inventory import Part

if TYPE_CHECKING:
    from collections.abc import Iterator

FEW = 100
"""Members from which on processes are given several at a time; a part of fewer has large ones."""


class Row(NamedTuple):
    """What became of a part. `outcomes` are those of its members, in the order of the archive."""

    part: Part
    outcomes: list[Outcome]

    @property
    def refused(self) -> list[Outcome]:
        """The members that were not linked."""
        return [outcome for outcome in self.outcomes if outcome.error]

    @property
    def seconds(self) -> float:
        """How long the members took, one after the other."""
        return sum(outcome.seconds for outcome in self.outcomes)


def run(parts: list[Part], engines: tuple[str, ...]) -> Iterator[Row]:
    """A row for each part, as soon as it is known."""
    with get_context("fork").Pool(os.cpu_count()) as pool:
        for part in parts:
            together = 16 if len(part.members) > FEW else 1
            yield Row(part, pool.map(partial(attempt, engines=engines), part.members, together))
