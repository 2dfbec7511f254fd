"""The archives of the toolchains, whole: every member links, or the documentation says why not."""

import pytest

from tests.corpus.attempt import ENGINES
from tests.corpus.inventory import ARCHIVES, GHC, Member, Part, the_corpus
from tests.corpus.page import known_reasons, page, unexpected
from tests.corpus.run import run


@pytest.fixture(scope="module")
def corpus():
    return {part.title: part for part in the_corpus()}


@pytest.mark.parametrize("title", [name for name in ARCHIVES if name != "libm.a"] + [GHC])
def test_every_member_links_with_both_engines_to_the_same_bytes(corpus, title):
    part = corpus[title]
    if part.missing:
        pytest.skip(f"expected: {part.missing}")
    assert unexpected(list(run([part], ENGINES)), known_reasons()) == []


def test_the_archives_behind_the_math_librarys_script_link(corpus):
    parts = [part for title, part in corpus.items() if title.startswith(("libm-", "libm.", "libmvec"))]
    assert unexpected(list(run(parts, ENGINES)), known_reasons()) == []


def test_a_refusal_is_expected_only_with_its_reason(tmp_path):
    path = tmp_path / "text.o"
    path.write_text("no object")
    rows = list(run([Part("text", (Member(str(path), "text.o"),))], ENGINES))
    (refused,) = unexpected(rows, {})
    assert refused.error == "BadObjectError: not an x86-64 relocatable object"
    written = page(rows, {})
    assert unexpected(rows, known_reasons(written)) == [refused]
    explained = written.replace("object |  |", "object | it is text |")
    assert unexpected(rows, known_reasons(explained)) == []
    assert page(rows, known_reasons(explained)) == explained
