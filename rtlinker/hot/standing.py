"""Who keeps a variable's memory: the module, as long as its current version has the variable in that place."""

from __future__ import annotations

from rtlinker.errors import LinkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.hot.names import ModuleNames
    from rtlinker.hot.version import Version
    from rtlinker.link.scope import Definition


class Standing:
    """The owner of a `Data` that was given out: asked at each access, since a reload may drop or move the variable."""

    def __init__(self, module: ModuleNames, name: str, definition: Definition) -> None:
        self._module = module
        self._name = name
        self._definition = definition
        self._seen: Version | None = None
        self.kept = module.kept

    @property
    def closed(self) -> bool:
        """Whether the module was closed. Raises LinkError when its current version has the variable there no more."""
        module = self._module
        if module.closed:
            return True
        current = module.current
        if current is not self._seen:
            place = self._definition.address, self._definition.variable
            if all(
                (placed.definition.address, placed.definition.variable) != place for placed in current.placed.values()
            ):
                facts = [("module", module.name), ("variable", self._name), ("version", str(current.number))]
                hint = "ask the module for it again: it has moved, or the newest version lacks it"
                raise LinkError("variable was replaced by a reload", facts, hint)
            self._seen = current
        return False
