"""The part of `rtlinker load` for objects by GHC.

The link is made here. The runtime starts in the child, where the call is: its threads would not survive the fork.
"""

from __future__ import annotations

import sys

from rtlinker.cli.command import Usage
from rtlinker.errors import LinkError, SignatureError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rtlinker.cli.command import Words
    from rtlinker.haskell.module import Module, Value
    from rtlinker.haskell.types import Type


def run_haskell(words: Words) -> int:
    """Link, evaluate the closure in a child, and return the exit code of the contract."""
    from rtlinker.haskell.runtime import Runtime

    if words.has("whole-archive"):
        raise Usage("--whole-archive does not go with Haskell objects: add objects and archives with -w")
    given = {"libraries": words.all("l"), "directories": words.all("L")}
    module = Runtime().load(words.one("FILE"), *words.all("with"), **given)
    found = module.find(words.one("SYMBOL"))
    if words.has("address"):
        if words.arguments["ARG"]:
            raise Usage("--address takes no arguments for the symbol")
        _print_address(found, words)
        return 0
    if found.name.qualified == "Main.main":
        return _in_child(module, prepare_program(module, found, words))
    return _in_child(module, prepare_call(module, found, words))


def _print_address(found: Value, words: Words) -> None:
    if words.has("json"):
        import json

        print(json.dumps({"symbol": found.symbol, "kind": "closure", "address": hex(found.address)}))
    else:
        print(hex(found.address))


def _in_child(module: Module, work: Callable[[], int]) -> int:
    """The exit code of the contract for what a child does."""
    from rtlinker.isolate.run import run_in_child

    def told() -> int:
        try:
            return work()
        except LinkError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2 if isinstance(error, SignatureError) else 1

    outcome = run_in_child(told)
    if outcome.signal is None:
        return outcome.exit_code or 0
    if outcome.crash is not None:
        from rtlinker.isolate.report import crash_report

        print(crash_report(outcome.crash, module.linker.describe), file=sys.stderr)
    return 128 + outcome.signal


def prepare_call(module: Module, found: Value, words: Words, quiet: bool = False) -> Callable[[], int]:
    """Prepare a call: types and arguments are checked here, before anything runs.

    A type that had to be assumed is said, unless `quiet`.
    """
    from rtlinker.haskell.seeing import represented
    from rtlinker.haskell.types import write

    signature = words.last("sig")
    kind = module.type_of(found.symbol, signature)
    if kind is None:
        signature = " -> ".join([*["String"] * len(words.arguments["ARG"]), "IO ()"])
        kind = module.type_of(found.symbol, signature)
        assumed = f"{signature} assumed, --sig says better"
        if not quiet:
            print(f"note: {found.name.qualified} has no interface beside its object: {assumed}", file=sys.stderr)
    assert kind is not None
    meant = represented(kind, module.interfaces)
    arguments = _arguments(meant, words.arguments["ARG"])

    def work() -> int:
        _print(_evaluated(module, found, signature, arguments), meant, found, write(kind), words)
        return 0

    return work


def prepare_program(module: Module, found: Value, words: Words) -> Callable[[], int]:
    """Run a program: getArgs gives the ARGs, getProgName FILE, and exceptions and exits end it as GHC's own do."""

    def work() -> int:
        import ctypes

        rts = module.machine.rts
        module.machine.keeper.start()
        rts.start()
        given = [words.one("FILE"), *words.arguments["ARG"]]
        argv = (ctypes.c_char_p * (len(given) + 1))(*[word.encode("utf-8", "surrogateescape") for word in given], None)
        give = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p)(rts.host.address("setProgArgv"))
        give(len(given), ctypes.addressof(argv))
        with rts.held() as heap:
            heap.run(heap.apply(rts.closure("base_GHCziTopHandler_runMainIO_closure"), found.address))
        rts.flush()
        return 0

    return work


def _arguments(kind: Type, given: list[str]) -> list[object]:
    """The values of the words; a word too many or too few is the call's to refuse."""
    from rtlinker.haskell.types import arguments_of
    from rtlinker.haskell.words import read_word

    types, _ = arguments_of(kind)
    return [read_word(word, each) for word, each in zip(given, types)] + given[len(types) :]


def _evaluated(module: Module, found: Value, signature: str | None, arguments: list[object]) -> object:
    from rtlinker.haskell.handles import HaskellFunction

    made = module.handle(found.symbol, signature)
    if isinstance(made, HaskellFunction) or arguments:
        return module.machine.values.call(made, made.type, arguments)
    return module.machine.values.value(made)


def _print(value: object, kind: Type, found: Value, written: str, words: Words) -> None:
    """The result, unless it is `()`."""
    from rtlinker.haskell.types import UNIT, TypeCon, arguments_of
    from rtlinker.haskell.words import json_value, show

    _, result = arguments_of(kind)
    if isinstance(result, TypeCon) and result.name == "IO":
        result = result.arguments[0]
    if words.has("json"):
        import json

        print(json.dumps({"symbol": found.symbol, "type": written, "value": json_value(value)}))
    elif result != UNIT:
        print(show(value, result))
