"""A callback that gets a `char *` gets the buffer itself: it may hold no text yet, and is there to be filled."""

import rtlinker

SOURCE = """
int filled(int (*fill)(char *, int)) {
    char buffer[16] = "ABCDEFGHIJKLMNO"; int count = fill(buffer, 16);
    return count * 1000 + buffer[0] + buffer[1];
}
int told(int (*tell)(const char *)) { return tell("text"); }
"""


def test_a_buffer_can_be_read_and_filled(compile, in_child):
    path = compile(SOURCE)

    def call():
        def fill(buffer, size):
            seen.append((buffer.text, buffer[3], size))
            buffer[0], buffer[1] = "x", 1
            return 2

        seen = []
        return rtlinker.load(path).filled(fill), seen

    assert in_child(call) == (2000 + ord("x") + 1, [("ABCDEFGHIJKLMNO", "D", 16)])


def test_const_text_is_text(compile, in_child):
    path = compile(SOURCE)
    assert in_child(lambda: rtlinker.load(path).told(lambda text: len(text) if text == "text" else -1)) == 4
