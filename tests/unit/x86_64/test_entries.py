"""The entries' bytes are what the assembly beside them says, and they jump where the table says."""

from rtlinker.x86_64.entries import ENTRY, ENTRY_SIZE, TRAP, entry_code, trap_code

WORD, OFFSET, MESSAGE, LENGTH, ABORT = 0x123456789ABCDEF0, 0x1238, 0x1122334455667788, 0x99, 0x8877665544332211


def assembled(workshop, lines, **values):
    names = "".join(f".set {name}, {value:#x}\n" for name, value in values.items())
    path = workshop.compile(names + ".text\n" + "\n".join(text for _, text in lines), "asm")
    out = path.with_suffix(".bin")
    from tests.support.compile import run

    run("objcopy", "-O", "binary", "-j", ".text", path, out)
    return out.read_bytes()


def test_an_entry_is_what_as_makes_of_its_assembly(workshop):
    code = entry_code(WORD, OFFSET)
    assert len(code) == ENTRY_SIZE
    assert code == assembled(workshop, ENTRY, word=WORD, offset=OFFSET)


def test_a_trap_is_what_as_makes_of_its_assembly(workshop):
    expected = assembled(workshop, TRAP, message=MESSAGE, length=LENGTH, abort=ABORT)
    assert trap_code(MESSAGE, LENGTH, ABORT) == expected
