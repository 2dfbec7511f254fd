"""The runner of the documentation's examples: what it accepts, and that it does not accept the rest."""

import pytest

from tests.support.readme import blocks, main, matches, steps

DOCUMENT = """
```console
$ echo one; echo two >&2
one
two
$ printf 'a\\nb\\nc\\n0x7f12 end\\n'
a
...
0x… end
$ (exit 3); echo $?
3
```

```python
>>> 1 + 1
2
```

```python
import os
assert os.path.exists("add.o") and os.path.exists("fixtures/add.o")
```

```sh
false
```
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "document.md"
        path.write_text(text)
        return path

    return write


def test_a_document_whose_examples_are_true_passes(written, capsys):
    assert main([str(written(DOCUMENT))]) == 0
    assert "3 examples in 1 documents, 0 failed" in capsys.readouterr().out


@pytest.mark.parametrize(("old", "new"), [
    ("\none\n", "\nwon\n"), ("\n3\n", "\n4\n"), ("0x… end", "0x… fin"), ("\n2\n", "\n3\n"),
    ("assert os", "assert not os"),
    ("$ (exit 3)", "$ exit 3"), ("two\n", ""), ("3\n```", "3\nmore\n```"),
])  # fmt: skip
def test_an_example_that_is_not_true_fails(written, capsys, old, new):
    changed = DOCUMENT.replace(old, new)
    if changed == DOCUMENT:
        pytest.fail("the document was not changed")
    assert main([str(written(changed))]) == 1


def test_a_document_without_examples_fails(written):
    assert main([str(written("no examples"))]) == 1


def test_blocks_know_their_line_and_lose_their_indentation(written):
    (block,) = blocks(written("text\n\n- item\n\n  ```console\n  $ true\n  ```\n"))
    assert (block.line, block.language, block.body) == (5, "console", "$ true\n")


def test_a_command_may_be_continued():
    assert steps("$ for i in 1 2; do\n> echo $i\n> done\n1\n2\n") == [("for i in 1 2; do\necho $i\ndone", ["1", "2"])]


def test_dots_match_lines_and_nothing_else():
    assert matches(["a", "...", "z"], ["a", "z"])
    assert matches(["a", "...", "z"], ["a", "b", "c", "z"])
    assert not matches(["a", "...", "z"], ["a", "b"])
    assert not matches(["a.c"], ["abc"])
