"""Fixtures that every test may use: compilers, a child to run linked code in, and the command line."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.support import child
from tests.support.compile import Workshop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


settings.register_profile("ci", derandomize=True)
"""In CI the same examples every time, so that a red run is this change's doing; at home they are new every time."""

if os.environ.get("CI"):
    settings.load_profile("ci")

signal.signal(signal.SIGINT, signal.default_int_handler)
"""A shell starts background jobs with interrupts ignored, and that is inherited; the tests mean the usual state."""


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Compilers and binutils that leave their files in the test's own directory."""
    return Workshop(tmp_path)


@pytest.fixture
def compile(workshop: Workshop) -> Callable[..., Path]:  # what it does
    """`compile(source, language="c", flags=(), compiler=None, name=None)`: the path of an object."""
    return workshop.compile


@pytest.fixture
def archive(workshop: Workshop) -> Callable[..., Path]:
    """`archive(name, *objects, mode="rcs")`: the path of an archive."""
    return workshop.archive


@pytest.fixture
def shared(workshop: Workshop) -> Callable[..., Path]:
    """`shared(source, name, flags=())`: the path of a shared library."""
    return workshop.shared


@pytest.fixture
def in_child() -> Callable[..., object]:
    """`in_child(function, *arguments)`: what it returns or raises in a forked child; death fails the test."""
    return child.in_child


@pytest.fixture
def rtlinker_command() -> Callable[..., child.Finished]:
    """`rtlinker_command(*arguments, input=None, cwd=None)`: (exit code, stdout, stderr) of the command line."""
    return child.rtlinker_command
