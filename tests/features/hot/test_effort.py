"""What a reload need not do again: read debug information that is the same, and search memory for what stays."""

import ctypes

from rtlinker import hot
from rtlinker.host import roots
from rtlinker.live import files

SOURCE = "struct s {{ int a; {0} }}; struct s state; int f(struct s *s) {{ return s->a + {1}; }}"


def test_debug_information_that_is_the_same_is_taken_over(compile, in_child):
    # of one source file, as an edit makes them: its name is part of what debug information says
    def version(fields, number):
        path = compile(SOURCE.format(fields, number), name="edited.o", flags="-O2 -fPIC -fdata-sections -g")
        return path.read_bytes()

    first, second, other = version("", 100), version("", 101), version("long b;", 101)

    def run():
        module = hot.load(first, into=hot.Domain())
        programs = [module.current.programs[0]]
        module.reload(second)
        programs.append(module.current.programs[0])
        try:
            module.reload(other)
        except hot.IncompatibleLayoutError as error:
            refused = "state" in str(error)
        module.reload(other, reset=["state"], assume_no_live=["s"])
        programs.append(module.current.programs[0])
        return programs[0] is programs[1], programs[1] is programs[2], refused, module.version

    assert in_child(run) == (True, False, True, 3)


def test_what_memory_points_to_is_not_searched_for_at_every_reload(compile, in_child):
    table = "int a; static int *const table[] = {{ &a, &a }}; const void *get(void) {{ return table; }}"
    source = f"{table} int n(void) {{{{ return {{0}}; }}}}"
    paths = [compile(source.format(number), flags="-fPIC -fdata-sections -O0") for number in (1, 2)]

    def run():
        searches, known, held = [], roots.pointers_into, (ctypes.c_void_p * 100)()

        def counting(*arguments, **named):
            searches.append(1)
            return known(*arguments, **named)

        roots.pointers_into = counting
        module = hot.load(paths[0], into=hot.Domain())
        for turn in range(100):
            held[turn] = module.function("get", "unsigned long(void)")()
            module.reload(paths[(turn + 1) % 2])
        often = len(searches)
        ctypes.memset(held, 0, ctypes.sizeof(held))
        return 1 <= often <= 10, module.soft_purge()

    assert in_child(run) == (True, True)


def test_an_object_is_read_once(compile, in_child):
    paths = [compile(f"int f(void) {{ return {number}; }}") for number in (1, 2)]

    def run():
        module, known, read = hot.load(paths[0]), files.read_file, []

        def counting(path, *size):
            if not size:  # the first bytes only say what it is
                read.append(path)
            return known(path, *size)

        files.read_file = counting
        module.reload(paths[1])
        return [str(path) for path in read] == [str(paths[1])]

    assert in_child(run)
