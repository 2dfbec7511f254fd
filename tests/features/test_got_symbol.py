"""`_GLOBAL_OFFSET_TABLE_` is the link's own table, from which GOTOFF and GOTPC count."""

import rtlinker

SOURCE = """
.globl table, entry
table:  lea _GLOBAL_OFFSET_TABLE_(%rip), %rax
        ret
entry:  lea _GLOBAL_OFFSET_TABLE_(%rip), %rcx
        movabs $word@GOT, %rax
        mov (%rcx,%rax), %rax
        ret
.data
.globl word
word:   .quad 1
"""


def test_an_entry_counted_from_the_table_holds_the_address(compile, in_child):
    path = compile(SOURCE, "asm")

    def call():
        library = rtlinker.load(path)
        table, entry = (library.function(name, "unsigned long(void)")() for name in ("table", "entry"))
        image = library.linker.images[0].image
        return entry == library.address("word"), image.address <= table < image.address + image.layout.size

    assert in_child(call) == (True, True)
