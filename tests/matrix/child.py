"""`python -m tests.matrix.child LOADER DIRECTORY`: loads what given.json names, calls it, writes result.json."""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path

from tests.matrix.feature import Built
from tests.matrix.loaders import IN_PROCESS


def use(loader: str, built: Built, directory: Path) -> str:
    """What is wrong; empty when the feature works. What the loader itself raises comes through."""
    find, unload = IN_PROCESS[loader](built, directory)
    reader, writer = os.pipe()
    if built.unloads:
        ctypes.CFUNCTYPE(None, ctypes.c_int)(find("watch"))(writer)
    value = ctypes.CFUNCTYPE(ctypes.c_int)(find("check"))()
    if value != 1:
        return f"check() returned {value}"
    if built.unloads:
        unload()
        os.close(writer)
        if os.read(reader, 9) != b"gone":
            return "nothing was run at unload"
    return ""


def main(loader: str, directory: Path) -> None:
    """The result is `why`, and whether it was `refused`. What the process does when it exits is not looked at."""
    built = Built(**json.loads((directory / "given.json").read_text()))
    try:
        result = {"why": use(loader, built, directory), "refused": False}
    except Exception as error:  # whatever a peer raises is its refusal
        result = {"why": str(error) or type(error).__name__, "refused": True}
    (directory / "result.json").write_text(json.dumps(result))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
