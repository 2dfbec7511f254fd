"""Constructors and destructors run in the order that ld gives them in a program."""

import subprocess

import rtlinker
from tests.support.compile import run

CODE = """
.macro say n
f\\n: mov $\\n, %edi
 jmp note@PLT
.endm
.text
"""


def part(base):
    places = [".init_array", ".ctors", ".init_array.00300", ".ctors.65235", ".ctors.65335", ".init_array.00150"]
    places += [name.replace("init", "fini").replace("ctors", "dtors") for name in places]
    text = CODE + "".join(f"say {base + n}\n" for n in range(24))
    for number, name in enumerate(places):
        kind = "" if "tors" in name else f",@{name[1:11]}"
        text += f'.section {name},"aw"{kind}\n.quad f{base + 2 * number}, f{base + 2 * number + 1}\n'
    return text


def test_the_order_is_that_of_a_program_made_by_ld(compile, in_child, tmp_path):
    one, two = compile(part(100), "asm"), compile(part(200), "asm")
    main = compile('#include <stdio.h>\nvoid note(int n) { printf("%d\\n", n); } int main(void) { return 0; }')
    run("gcc", one, two, main, "-o", tmp_path / "program")
    wanted = subprocess.run([tmp_path / "program"], capture_output=True, text=True, check=True).stdout

    def call():
        seen = []
        rtlinker.load(one, two, symbols={"note": (seen.append, "void(int)")}).unload()
        return seen

    assert in_child(call) == [int(line) for line in wanted.split()]
