"""The gate: what of a new version does not fit what is alive of the old one. Refused unless the caller decides.

Types come from debug information, compared as the machine sees them: sizes, offsets, encodings. Where it is missing,
sizes are compared, and what nothing could verify is told.
"""

from __future__ import annotations

from rtlinker.hot.findings import Findings
from rtlinker.hot.layouts import Layouts
from rtlinker.hot.signatures import Signatures

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtlinker.hot.options import Options
    from rtlinker.hot.version import Version


class Gate:
    """The comparison of a new version with the current one; without one, there is nothing to compare.

    `drafts` are the other versions of the same reload, `reloading` the names of their modules.
    """

    def __init__(self, old: Version | None, new: Version, options: Options, drafts: Iterable[Version] = ()) -> None:
        self.drafts = [other for other in drafts if other is not new]
        self.reloading = {other.module for other in self.drafts}
        self.findings = Findings()
        self.signatures = Signatures(old, new, options.allow, self.findings)
        self.layouts = Layouts(old, new, options, self.findings)
