"""Handlers of signals are found by where they lie, for many places in one look."""

import ctypes
import signal

from rtlinker.host.signal_handlers import handlers_in, signals_handled_in


def test_handlers_are_told_by_signal_and_address(in_child):
    def call():
        libc = ctypes.CDLL(None)
        libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
        addresses = [ctypes.cast(libc[name], ctypes.c_void_p).value for name in ("abs", "labs")]
        libc.signal(signal.SIGUSR1, addresses[0])
        libc.signal(signal.SIGRTMAX, addresses[1])
        found = handlers_in([(address, address + 1) for address in reversed(addresses)])
        one = handlers_in([(addresses[1], addresses[1] + 1)])
        names = signals_handled_in(addresses[0], addresses[0] + 1)
        right = [(each.signal, each.address) for each in found] == [(10, addresses[0]), (64, addresses[1])]
        return right, [each.name for each in one], names

    right, others, names = in_child(call)
    assert right
    assert others == ["SIGRTMIN+30"]
    assert names == ["SIGUSR1"]


def test_no_place_has_no_handlers():
    assert handlers_in([]) == ()
