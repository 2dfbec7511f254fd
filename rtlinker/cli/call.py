"""The child's part of `rtlinker load`: start the image, call or show the symbol, print, and end as it should."""

from __future__ import annotations

import sys

from rtlinker.errors import LinkError, SignatureError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rtlinker.bind.call import Function
    from rtlinker.bind.ctype import CType, FunctionType
    from rtlinker.cli.command import Words
    from rtlinker.library import Library
    from rtlinker.live.found import Found


def call_in_child(library: Library, found: Found, words: Words) -> int:
    """Fork, do what was asked for, and return the exit code; a crash is reported on standard error."""
    from rtlinker.isolate.run import run_in_child

    if found.kind == "data":
        work = _showing(library, found, words)
    elif found.name == "main" and not words.has("address"):
        work = _program(library, found, words)
    else:
        work = _calling(library, found, words)
    outcome = run_in_child(lambda: _told(work))
    if outcome.signal is None:
        return outcome.exit_code or 0
    if outcome.crash is not None:
        from rtlinker.isolate.report import crash_report

        print(crash_report(outcome.crash, library.linker.describe), file=sys.stderr)
    return 128 + outcome.signal


def _told(work: Callable[[], int]) -> int:
    """Errors that only the call can find are told like all others."""
    import gc

    gc.enable()  # the called code may live long, and call back
    try:
        return work()
    except SignatureError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except LinkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 128 + 13
    except OSError as error:
        print(f"error: {(error.strerror or str(error)).lower()} (standard output)", file=sys.stderr)
        return 1


def _calling(library: Library, found: Found, words: Words) -> Callable[[], int]:
    """Prepare a function's call: its type and arguments are checked here, before anything runs."""
    from rtlinker.bind.call import Function, untyped
    from rtlinker.bind.words import guess

    given = words.arguments["ARG"]
    function = _typed(library, found, words.last("sig"))
    if function is None:
        from rtlinker.host.demangle import readable

        arguments: list[object] = [guess(word) for word in given]
        function = Function(found.address, untyped(arguments), found.name, found.live)
        assumed = f"{_assumed(function.ctype)} assumed, --sig says better"
        print(f"note: {readable(found.name)} has no debug information: {assumed}", file=sys.stderr)
    else:
        arguments = converted(function, given)

    def work() -> int:
        library.linker.start()
        value = function(*arguments)
        flush_c()
        print_result(value, function.ctype.result, found.name, function.prototype, words)
        library.unload()
        return 0

    return work


def _typed(library: Library, found: Found, prototype: str | None) -> Function | None:
    from rtlinker.bind.call import Function

    if prototype is not None:
        from rtlinker.bind.prototype import parse_prototype

        return Function(found.address, parse_prototype(prototype), found.name, found.live)
    declared = library.declaration(found)
    return None if declared is None else Function(found.address, declared, found.name, found.live)  # type: ignore[arg-type]


def _assumed(ctype: FunctionType) -> str:
    from rtlinker.bind.ctype import declare

    return declare(ctype)


def converted(function: Function, given: list[str]) -> list[object]:
    """The values of words, as the function's parameters want them; words beyond those as they look."""
    from rtlinker.bind.words import command_line_value, guess

    types = [parameter.type for parameter in function.ctype.parameters]
    typed = [command_line_value(word, ctype, function.prototype) for word, ctype in zip(given, types)]
    return typed + [guess(word) for word in given[len(types) :]]


def _showing(library: Library, found: Found, words: Words) -> Callable[[], int]:
    """Print data: typed by debug information, else its bytes in hex."""
    if words.arguments["ARG"]:
        raise SignatureError("data takes no arguments", found.name, "it is printed, not called")
    declared = library.declaration(found)

    def work() -> int:
        library.linker.start()
        if declared is None:
            import ctypes

            text = ctypes.string_at(found.address, found.size).hex(" ")
            print_result(text, None, found.name, "", words)
        else:
            data = library[words.one("SYMBOL")]
            print_result(data.value, declared, found.name, data.__doc__ or "", words)
        library.unload()
        return 0

    return work


def print_result(value: object, ctype: CType | None, name: str, prototype: str, words: Words) -> None:
    """Print what a function returned or a variable holds, as text or JSON; nothing for void."""
    from rtlinker.bind.ctype import Void, plain
    from rtlinker.bind.words import format_value, json_value

    if words.has("json"):
        import json

        shown = json_value(value, ctype)
        print(json.dumps({"symbol": name, "type": prototype or None, "value": shown}))
    elif ctype is None or not isinstance(plain(ctype), Void):
        print(format_value(value, ctype))
    sys.stdout.flush()


def _program(library: Library, found: Found, words: Words) -> Callable[[], int]:
    """Run a program: argv is FILE and the ARGs, standard output is its own, and `exit` works as in any program."""

    def work() -> int:
        import ctypes

        from rtlinker.host import libc

        words_of_argv = [words.one("FILE"), *words.arguments["ARG"]]
        encoded = [word.encode("utf-8", "surrogateescape") for word in words_of_argv]
        argv = (ctypes.c_char_p * (len(encoded) + 1))(*encoded, None)
        environ = ctypes.c_void_p.in_dll(ctypes.CDLL(None), "environ")
        library.linker.start(guarded=False)  # an exception that nothing catches ends it, as it ends any program
        main = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(found.address)
        code: int = main(len(encoded), ctypes.addressof(argv), environ)
        libc.exit(code & 0xFF)
        return code & 0xFF

    return work


def flush_c() -> None:
    """Write out what C has written: it comes before the result that Python prints."""
    from rtlinker.host import libc

    libc.fflush(None)
