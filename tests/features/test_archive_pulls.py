"""Only the members that somebody asks for are linked, and the linker knows who asked for each."""

import rtlinker

MAIN = "int a(void); int start(void) { return a(); }"
MEMBERS = {
    "a": "int b(void); int a(void) { return b() + 1; }",
    "b": "int b(void) { return 1; }",
    "unneeded": "int missing(void); int unneeded(void) { return missing(); }",
}


def test_members_are_pulled_for_a_reason_that_is_recorded(compile, archive, in_child):
    main = compile(MAIN, name="main.o")
    library = archive("libab.a", *(compile(source, name=f"{name}.o") for name, source in MEMBERS.items()))

    def call():
        loaded = rtlinker.load(main, library)
        pulls = [(pull.member, pull.archive, pull.symbol, pull.referrer) for pull in loaded.linker.pulls()]
        return loaded.start(), pulls

    result, pulls = in_child(call)
    assert result == 2
    assert pulls == [
        (f"{library}(a.o)", str(library), "a", str(main)),
        (f"{library}(b.o)", str(library), "b", f"{library}(a.o)"),
    ]


def test_a_name_asked_for_later_pulls_its_member_then(compile, archive, in_child):
    library = archive("libab.a", *(compile(source, name=f"{name}.o") for name, source in MEMBERS.items()))

    def call():
        loaded = rtlinker.load(library)
        return loaded.linker.pulls(), loaded.b(), [pull.symbol for pull in loaded.linker.pulls()]

    assert in_child(call) == ([], 1, ["b"])
