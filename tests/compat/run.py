"""Builds one recipe's program and uses it in a fresh process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.compat.recipe import Broken, Given, Missing, Shop, output

if TYPE_CHECKING:
    from tests.compat.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300
"""Seconds after which a program that does not end counts as hanging."""


@dataclass(frozen=True)
class Outcome:
    """What became of a recipe. `works` is None where its compiler is not there."""

    recipe: Recipe
    version: str
    commands: tuple[str, ...]
    given: Given | None
    works: bool | None
    why: str = ""


def run(recipe: Recipe) -> Outcome:
    """Build, link, use; whatever goes wrong is in the outcome."""
    version, given = "", None
    with tempfile.TemporaryDirectory(prefix="rtlinker-compat-") as directory:
        shop = Shop(Path(directory))
        try:
            version = output(*recipe.version).strip().splitlines()[0]
            given = recipe.build(shop)
            why = use(recipe, given, Path(directory))
        except Missing as missing:
            return Outcome(recipe, version, (), given, None, f"{missing} is not installed")
        except Broken as broken:
            why = str(broken)
        why = why.replace(directory + "/", "")
    return Outcome(recipe, version, tuple(shop.commands), given, not why, why)


def use(recipe: Recipe, given: Given, directory: Path) -> str:
    """What is wrong with the program's use in a fresh process; empty when nothing is."""
    (directory / "given.json").write_text(json.dumps({"name": recipe.name, **asdict(given)}))
    command = [sys.executable, "-m", "tests.compat.use", str(directory)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    try:
        ran = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=directory,
            env=environment,
            timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        return f"did not end within {PATIENCE} seconds"
    result = directory / "result.json"
    if result.exists() and (why := json.loads(result.read_text())["why"]):
        said = ran.stderr.strip()
        return f"{why}\nstandard error: {said}" if said else str(why)
    if ran.returncode < 0:
        when = "after everything had been called" if result.exists() else "while it was loaded or called"
        return f"died of {signal.Signals(-ran.returncode).name} {when}\n{ran.stderr}".strip()
    if ran.returncode or not result.exists():
        return f"ended with exit code {ran.returncode}\n{ran.stderr}".strip()
    wanted = f"hello, {recipe.name} (1.50)\n" * (given.rounds or 1)
    if ran.stdout != wanted:
        return f"printed {ran.stdout!r:.200}, not {wanted!r}"
    return ""
