"""The line that makes a table worth keeping: machine, Python, compilers, and which rtlinker it was."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

TOOLS = {
    "gcc": ["gcc", "-dumpfullversion"],
    "ld.bfd": ["ld.bfd", "--version"],
    "ld.gold": ["ld.gold", "--version"],
    "ld.lld": ["ld.lld", "--version"],
    "tcc": ["tcc", "-v"],
    "ghc": ["ghc", "--numeric-version"],
}
PACKAGES = ("llvmlite", "apache-tvm-ffi-orcjit")


def facts() -> dict[str, str]:
    """What the figures depend on, by name."""
    found = {
        "processor": f"{_processor()}, {os.cpu_count()} CPUs",
        "kernel": platform.release(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "rtlinker": _said(["git", "-C", str(ROOT), "describe", "--always", "--dirty"]) or "unknown version",
    }
    found |= {name: _said(command) or "missing" for name, command in TOOLS.items()}
    return found | {name: _package(name) for name in PACKAGES}


def line(found: dict[str, str]) -> str:
    """All facts in one line."""
    return "; ".join(f"{name} {value}" for name, value in found.items())


def _processor() -> str:
    for entry in Path("/proc/cpuinfo").read_text().splitlines():
        if entry.startswith("model name"):
            return entry.partition(":")[2].strip()
    return platform.machine()


def _said(command: list[str]) -> str:
    """A version as short as it can be said: the last word with a digit in the first line."""
    if not shutil.which(command[0]):
        return ""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    first = (result.stdout or result.stderr).partition("\n")[0].split("(")
    words = [word for word in first[0].split() if any(letter.isdigit() for letter in word)]
    words = words or [word for part in first for word in part.split() if any(letter.isdigit() for letter in word)]
    return words[-1].strip("()") if words else ""


def _package(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing"
