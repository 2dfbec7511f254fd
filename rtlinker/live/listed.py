"""Images in the list that `dl_iterate_phdr` walks along for linked code: see `host.image_list`."""

from __future__ import annotations

from rtlinker.units import PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.host.memory import Reservation
    from rtlinker.link.image import Image
    from rtlinker.live.undo import UndoStack

_asked: set[str] = set()
"""Not empty once a link of this process has asked for the name: from then on images are listed."""

_PT_LOAD, _PT_TLS = 1, 7
_FLAGS = {"r-x": 5, "r--": 4, "rw-": 6}


def iterate_address() -> int:
    """The absolute address of what linked code calls as `dl_iterate_phdr`; from now on images are listed."""
    from rtlinker.host import image_list

    _asked.add("dl_iterate_phdr")
    return image_list.iterate_address()


def list_image(image: Image, memory: Reservation, undo: UndoStack) -> None:
    """Show the image's segments and thread-local block to linked code that looks for them, if there is any."""
    if not _asked:
        return
    from rtlinker.host import image_list

    layout, threads = image.layout, image.addresses.threads
    headers = [
        image_list.program_header(_PT_LOAD, _FLAGS[segment.letters], segment.offset, (segment.size, segment.size), PAGE)
        for segment in layout.segments
        if segment.size
    ]
    if layout.block is not None:
        sizes = layout.block.filled, layout.block.size
        headers.append(image_list.program_header(_PT_TLS, _FLAGS["r--"], layout.template, sizes, layout.block.align))
    name = f"rtlinker:{image.resolution.objects[0].name}"  # no file: who opens it would take its addresses for ours
    listed = image_list.entry(image.address, name, headers, threads.module if threads else 0)
    undo.push(lambda: image_list.hide(listed))
    image_list.show(listed)
