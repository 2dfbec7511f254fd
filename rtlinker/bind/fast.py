"""Calls of functions whose parameters and result are plain numbers: check types and ranges, and jump.

Arguments that a closure here does not like go the general way, to the Plan, which converts them or says what is wrong.
"""

from __future__ import annotations

import ctypes

from rtlinker.bind.codec import Codec, FloatCodec, IntegerCodec
from rtlinker.bind.plan import Jump, Plan, native_of
from rtlinker.live.failure import failures, raise_failure
from rtlinker.live.frames import guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Check = tuple[Any, float, float]
    Way = Callable[[tuple[Any, ...]], object]


def fastest(plan: Plan) -> Callable[[tuple[object, ...]], object]:
    """A closure for plain numbers that checks and calls, or the plan itself where there is more to do."""
    simple = type(plan.result) in (Codec, IntegerCodec, FloatCodec) or plan.result.native is ctypes.c_bool
    if plan.variadic or not simple or any(codec.exact is None for codec in plan.codecs) or len(plan.codecs) > 4:
        return plan
    checks: list[Check] = [(codec.exact, codec.low, codec.high) for codec in plan.codecs]
    return (_none, _one, _two, _three, _four)[len(checks)](plan, _quickest(plan), *checks)


def _quickest(plan: Plan) -> Callable[..., object]:
    """The jump for arguments that are checked already.

    Without `argtypes` ctypes passes a Python int as a C int, in half the time; for what fits 32 bits that is right,
    since a narrower argument is passed extended to 32 bits.
    """
    if any(codec.exact is float or ctypes.sizeof(native_of(codec)) > 4 for codec in plan.codecs):
        return plan.jump
    jump = Jump(plan.address)
    jump.restype = plan.jump.restype
    guard(jump)
    return jump


def _none(plan: Plan, jump: Callable[..., object]) -> Way:
    def call(arguments: tuple[Any, ...]) -> object:
        if arguments:
            return plan(arguments)
        answer = jump()
        if failures:
            raise_failure(plan.name)
        return answer

    return call


def _one(plan: Plan, jump: Callable[..., object], first: Check) -> Way:
    kind, low, high = first

    def call(arguments: tuple[Any, ...]) -> object:
        if len(arguments) == 1:
            (a,) = arguments
            if type(a) is kind and low <= a <= high:
                answer = jump(a)
                if failures:
                    raise_failure(plan.name)
                return answer
        return plan(arguments)

    return call


def _two(plan: Plan, jump: Callable[..., object], first: Check, second: Check) -> Way:
    kind, low, high = first
    kind_b, low_b, high_b = second

    def call(arguments: tuple[Any, ...]) -> object:
        if len(arguments) == 2:
            a, b = arguments
            if type(a) is kind and type(b) is kind_b and low <= a <= high and low_b <= b <= high_b:
                answer = jump(a, b)
                if failures:
                    raise_failure(plan.name)
                return answer
        return plan(arguments)

    return call


def _three(plan: Plan, jump: Callable[..., object], first: Check, second: Check, third: Check) -> Way:
    kind, low, high = first
    kind_b, low_b, high_b = second
    kind_c, low_c, high_c = third

    def call(arguments: tuple[Any, ...]) -> object:
        if len(arguments) == 3:
            a, b, c = arguments
            fits = type(a) is kind and type(b) is kind_b and type(c) is kind_c
            if fits and low <= a <= high and low_b <= b <= high_b and low_c <= c <= high_c:
                answer = jump(a, b, c)
                if failures:
                    raise_failure(plan.name)
                return answer
        return plan(arguments)

    return call


def _four(plan: Plan, jump: Callable[..., object], *checks: Check) -> Way:
    def call(arguments: tuple[Any, ...]) -> object:
        if len(arguments) == 4:
            for value, (kind, low, high) in zip(arguments, checks):
                if type(value) is not kind or not low <= value <= high:
                    return plan(arguments)
            answer = jump(*arguments)
            if failures:
                raise_failure(plan.name)
            return answer
        return plan(arguments)

    return call
