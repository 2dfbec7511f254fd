"""`__dso_handle` is an address of the link's own, by which atexit and destructors know whose they are."""

import rtlinker

SOURCE = """
extern void *__dso_handle;
void **handle(void) { return &__dso_handle; }
int self(void) { return __dso_handle == &__dso_handle; }
"""


def test_each_link_has_a_handle_of_its_own(compile, in_child):
    path = compile(SOURCE)

    def call():
        one, two = rtlinker.load(path), rtlinker.load(path)
        handles = [library.function("handle", "unsigned long(void)")() for library in (one, two)]
        images = [library.linker.images[0].image for library in (one, two)]
        inside = [image.address <= handle < image.address + image.layout.size for image, handle in zip(images, handles)]
        return handles[0] != handles[1], inside, one.self()

    assert in_child(call) == (True, [True, True], 1)
