"""`.init` and `.fini`: the pieces of all objects, one behind the other, are the functions _init and _fini.

ld does nothing but concatenate; the function around the pieces comes from crti.o and crtn.o. When the link defines
`_init` itself, because it has a crti.o or a function of that name, that is what runs and nothing is added, as with ld.
Otherwise the layout leaves room for a prologue and an epilogue around the pieces.
"""

from __future__ import annotations

from rtlinker.elf.constants import SHF_EXECINSTR
from rtlinker.link.resolution import InObject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.link.addresses import Addresses
    from rtlinker.link.resolution import Resolution

CHAINS = {".init": "_init", ".fini": "_fini"}
"""Each section with the function that its pieces make."""


def own_function(resolution: Resolution, section: str) -> InObject | None:
    """Where the link itself defines the function of `.init` or `.fini`; None when it does not."""
    found = resolution.find(CHAINS[section])
    if not isinstance(found, InObject):
        return None
    flags = resolution.objects[found.object].sections.flags
    at = resolution.symbol(found).section
    return found if at > 0 and flags[at] & SHF_EXECINSTR else None


def chain_address(addresses: Addresses, section: str) -> int | None:
    """The absolute address of the function that `.init` or `.fini` is; None when the link has none."""
    own = own_function(addresses.resolution, section)
    if own is not None:
        return addresses.of_place(own)
    bounds = addresses.layout.bounds.get(section)
    return None if bounds is None else addresses.base + bounds[0]
