"""The address of a libc function has one value for a whole link, can be compared and be called."""

import rtlinker

NO_PIC = """
unsigned long strlen(const char *);
typedef unsigned long function(const char *);
function *const stored = strlen;
function *address(void) { return strlen; }
int same(void) { return address() == stored && stored == strlen; }
unsigned long through(const char *s) { return address()(s); }
"""
PIC = "unsigned long strlen(const char *); void *elsewhere(void) { return strlen; } void *const pointer = strlen;"


def test_code_without_pic_sees_one_address_that_can_be_called(compile, in_child):
    path = compile(NO_PIC, flags="-fno-pic -fno-builtin -O0")

    def call():
        library = rtlinker.load(path)
        return library.same(), library.through(b"seven77")

    assert in_child(call) == (1, 7)


def test_all_objects_of_a_link_see_the_same_address(compile, in_child):
    paths = compile(NO_PIC, flags="-fno-pic -fno-builtin -O0"), compile(PIC, flags="-fPIC -fno-builtin")

    def call():
        library = rtlinker.load(*paths)
        return (
            library.function("address", "unsigned long(void)")()
            == library.function("elsewhere", "unsigned long(void)")()
        )

    assert in_child(call)
