"""A whole archive brings all its members, also those that register themselves and nobody names."""

import rtlinker

MAIN = "int count; int counted(void) { return count; }"
PLUGIN = "extern int count; __attribute__((constructor)) static void join(void) { count += %d; }"


def test_every_member_of_a_whole_archive_is_linked(compile, archive, in_child):
    main = compile(MAIN)
    plugins = archive("libplugins.a", compile(PLUGIN % 1), compile(PLUGIN % 20))

    def call():
        return rtlinker.load(main, plugins).counted(), rtlinker.load(main, whole_archives=[plugins]).counted()

    assert in_child(call) == (0, 21)


def test_the_linker_takes_an_archive_whole(compile, archive, in_child):
    members = compile("int one(void) { return 1; }"), compile("int two(void) { return 2; }")
    path = archive("libboth.a", *members)

    def call():
        with rtlinker.Linker() as linker:
            linker.load_archive(path, whole=True)
            linker.resolve()
            return len(linker.images[0].image.resolution.objects), linker.pulls()

    assert in_child(call) == (2, [])
