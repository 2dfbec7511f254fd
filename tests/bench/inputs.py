"""The objects that everybody loads: C of a chosen size, made and compiled in a temporary directory.

Each function calls its predecessor, uses two tables and a static array of strings, has a switch that becomes a jump
table, and calls libc: the relocations of ordinary code, in ordinary proportions.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

HEAD = """\
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
"""

FUNCTION = """\
int f{i}(int x) {{
  static const char *const words[] = {{"word {i} odd", "word {i} even", "word {i} last"}};
  if (x <= 0) return base[{i}] + (int)strlen(words[-x & 1]);
  sums[{i}] += x;
  if (x > 1000000) {{ fprintf(stderr, "f{i}: %s: %d\\n", words[2], x); abort(); }}
  switch (x % 7) {{
    case 0: return {before} + {i};
    case 1: return sums[{i}] ^ {i};
    case 2: return abs(x - {i});
    case 3: return {before} - base[{other}];
    case 4: return x * {factor};
    case 5: return x << 3;
    default: return {before};
  }}
}}
"""

# what the TVM FFI's loader can call (a function of its own calling convention), so that it too gets this object
PROBE = """\
struct value {{ int type, more; long number; }};
int __tvm_ffi_probe(void *self, const struct value *arguments, int count, struct value *result) {{
  result->type = 1; result->more = 0; result->number = {last}(3); return 0;
}}
"""


def functions(count: int) -> str:
    """C source of `count` functions f0 ... that return the same on every loader."""
    parts = [HEAD, f"int sums[{count}]; int base[{count}] = {{1, 2, 3}};\n"]
    parts += [f"int f{i}(int);\n" for i in range(count)]
    for i in range(count):
        before = f"f{i - 1}(x - 1)" if i else "x"
        parts.append(FUNCTION.format(i=i, before=before, other=i * 7 % count, factor=i + 1))
    parts.append(PROBE.format(last=f"f{count - 1}"))
    return "".join(parts)


def compile_c(directory: Path, name: str, source: str, *flags: str) -> Path:
    """The object of a C source, compiled with -O1 and the flags."""
    text, result = directory / f"{name}.c", directory / f"{name}.o"
    text.write_text(source)
    subprocess.run(["gcc", "-O1", *flags, "-c", text, "-o", result], check=True)
    return result


def assemble(directory: Path, name: str, source: str) -> Path:
    """The object of an assembly source."""
    text, result = directory / f"{name}.s", directory / f"{name}.o"
    text.write_text(source)
    subprocess.run(["as", text, "-o", result], check=True)
    return result


def sites(count: int) -> str:
    """Assembly with `count` relocations of four kinds against count/8 symbols of its own."""
    symbols = max(count // 8, 1)
    parts = ['.section .text.code,"ax",@progbits\n']
    parts += [f".globl s{i}\ns{i}: ret\n" for i in range(symbols)]
    parts.append('.section .text.sites,"ax",@progbits\n')
    for i in range(0, count, 4):
        name = f"s{i * 5 % symbols}"
        parts.append(f".quad {name}\n.long {name} - .\ncall {name}\nlea {name}+{i % 3}(%rip), %rax\n")
    return "".join(parts)


def describe(path: Path) -> str:
    """Size and number of relocations of an object, for a group's title."""
    listing = subprocess.run(["readelf", "-rW", path], capture_output=True, text=True, check=True).stdout
    count = sum(1 for line in listing.splitlines() if " R_X86_64_" in line)
    return f"{path.stat().st_size:,} bytes, {count:,} relocations"
