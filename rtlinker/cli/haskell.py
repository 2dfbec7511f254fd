"""The part of `rtlinker load` for objects by GHC: the runtime starts and the call happens in the child."""

from __future__ import annotations

import sys

from rtlinker.cli.command import Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.cli.command import Words
    from rtlinker.haskell.module import Module, Value


def run_haskell(words: Words) -> int:
    """Link here, evaluate the closure in a child, and return the exit code of the contract."""
    from rtlinker.haskell.runtime import Runtime

    for option in ("l", "L", "whole-archive"):
        if words.has(option):
            raise Usage(f"-{option} does not go with Haskell objects: packages are found by themselves, objects by -w")
    module = Runtime().load(words.one("FILE"), *words.all("with"))
    found = module.find(words.one("SYMBOL"))
    if words.has("address"):
        if words.arguments["ARG"]:
            raise Usage("--address takes no arguments for the symbol")
        print(hex(found.address))
        return 0
    return _call_in_child(module, found, words)


def _call_in_child(module: Module, found: Value, words: Words) -> int:
    from rtlinker.isolate.run import run_in_child

    def work() -> int:
        module.linker.start()
        with module.rts.held() as heap:
            action = heap.stable(found.address)
            for word in words.arguments["ARG"]:
                text = heap.text(word)
                action = heap.stable(heap.apply(heap.closure_of(action), text))
            heap.run(heap.closure_of(action))
        module.rts.flush()
        return 0

    outcome = run_in_child(work)
    if outcome.signal is None:
        return outcome.exit_code or 0
    if outcome.crash is not None:
        from rtlinker.isolate.report import crash_report

        print(crash_report(outcome.crash, module.linker.describe), file=sys.stderr)
    return 128 + outcome.signal
