"""A `.so` that is a linker script stands for the files it lists."""

import rtlinker


def test_input_and_group_name_the_files_to_link(compile, archive, shared, in_child, tmp_path):
    library = shared("int from_library(void) { return 100; }", "libreal.so.1")
    inside = archive("libinside.a", compile("int from_archive(void) { return 20; }"))
    (tmp_path / "libscript.so").write_text(
        f"/* GNU ld script */\nOUTPUT_FORMAT(elf64-x86-64)\nGROUP ( {library} AS_NEEDED ( {inside} ) )\n"
    )
    main = compile(
        "int from_library(void), from_archive(void); int both(void) { return from_library() + from_archive(); }"
    )

    def call():
        return (
            rtlinker.load(main, tmp_path / "libscript.so").both(),
            rtlinker.load(main, libraries=["script"], directories=[str(tmp_path)]).both(),
        )

    assert in_child(call) == (120, 120)
