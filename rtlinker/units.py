"""Numbers as a linker writes them: alignment and hexadecimal."""

PAGE = 4096
"""Bytes per page, the granularity of protection (psABI 3.3.3)."""

GIB = 1 << 30
MIB = 1 << 20


def align_up(value: int, alignment: int) -> int:
    """The smallest multiple of `alignment` (a power of two, in bytes) that is at least `value`."""
    return (value + alignment - 1) & -alignment


def signed64(value: int) -> int:
    """The value modulo 2**64, as a signed number."""
    value &= 0xFFFFFFFFFFFFFFFF
    return value - (1 << 64) if value >> 63 else value


def plural(count: int, noun: str) -> str:
    """`1 symbol`, `2 symbols`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
