"""Who a name means: the order of lookup, and what happens when several define it."""

import pytest

from rtlinker.errors import DuplicateSymbolError, UndefinedSymbolsError
from rtlinker.link.resolution import Common, InObject, LinkerDefined
from rtlinker.link.resolve import resolve
from rtlinker.link.scope import Definition
from tests.support.objects import Members, inputs, make, table


def meaning(resolution, object, name):
    """What `name` means in object number `object`."""
    index = resolution.indexes[object]
    at = index.undefined.get(name, index.defined.get(name, index.commons.get(name)))
    bound = resolution.bound[object].get(at)
    if bound is None:
        return resolution.objects[object].name
    if isinstance(bound, InObject):
        return resolution.objects[bound.object].name
    return bound.provider if isinstance(bound, Definition) else type(bound).__name__


def test_an_object_of_the_link_comes_before_everything():
    found = resolve(inputs(make("a", wants=["f"]), make("b", ["f"]), user=table("user", f=1), process=table(f=2)))
    assert meaning(found, 0, "f") == "b"


def test_the_user_comes_before_archives_and_the_process():
    archive = Members("lib.a", make("m", ["f"]))
    found = resolve(inputs(make("a", wants=["f"]), user=table("user", f=1), providers=[archive], process=table(f=2)))
    assert (meaning(found, 0, "f"), len(found.objects)) == ("user", 1)


def test_an_archive_comes_before_the_process():
    archive = Members("lib.a", make("m", ["f"]))
    found = resolve(inputs(make("a", wants=["f"]), providers=[archive], process=table(f=2)))
    assert meaning(found, 0, "f") == "m"


def test_with_process_first_the_process_comes_before_archives():
    archive = Members("lib.a", make("m", ["f", "g"], wants=["f"]))
    found = resolve(inputs(make("a", wants=["f", "g"]), providers=[archive], process=table(f=2), process_first=True))
    assert (meaning(found, 0, "f"), meaning(found, 0, "g")) == ("process", "m")
    assert meaning(found, 1, "f") == "process"


def test_providers_are_asked_in_their_order():
    one, two = Members("one.a", make("m1", ["f"])), Members("two.a", make("m2", ["f"]))
    found = resolve(inputs(make("a", wants=["f"]), providers=[table("lib.so", g=1), two, one]))
    assert meaning(found, 0, "f") == "m2"


def test_a_library_before_an_archive_wins():
    found = resolve(inputs(make("a", wants=["f"]), providers=[table("lib.so", f=1), Members("x.a", make("m", ["f"]))]))
    assert (meaning(found, 0, "f"), len(found.objects)) == ("lib.so", 1)


def test_archives_that_need_each_other_resolve_in_either_order():
    one = Members("one.a", make("m1", ["f"], wants=["g"]), make("m3", ["h"]))
    two = Members("two.a", make("m2", ["g"], wants=["h"]))
    for order in ([one, two], [two, one]):
        found = resolve(inputs(make("a", wants=["f"]), providers=order))
        assert [object.name for object in found.objects] == ["a", "m1", "m2", "m3"]


def test_a_pull_records_who_asked_for_what():
    found = resolve(inputs(make("a", wants=["f"]), providers=[Members("lib.a", make("lib.a(m)", ["f"]))]))
    assert [(pull.member, pull.archive, pull.symbol, pull.referrer) for pull in found.pulls] == [
        ("lib.a(m)", "lib.a", "f", "a")
    ]


def test_a_member_nobody_needs_stays_out():
    found = resolve(inputs(make("a", wants=["f"]), providers=[Members("x.a", make("no", ["g"]), make("m", ["f"]))]))
    assert [object.name for object in found.objects] == ["a", "m"]


def test_an_undefined_weak_symbol_pulls_no_member_and_is_zero():
    found = resolve(inputs(make("a", weakly_wants=["f"]), providers=[Members("x.a", make("m", ["f"]))]))
    assert (len(found.objects), meaning(found, 0, "f")) == (1, "undefined weak")


def test_strong_wins_over_weak_in_either_order():
    strong, weak = make("s", ["f"]), make("w", weak=["f"])
    assert meaning(resolve(inputs(weak, strong)), 0, "f") == "s"
    assert meaning(resolve(inputs(strong, weak)), 1, "f") == "s"


def test_the_first_of_two_weak_definitions_wins():
    found = resolve(inputs(make("w1", weak=["f"]), make("w2", weak=["f"])))
    assert (meaning(found, 0, "f"), meaning(found, 1, "f")) == ("w1", "w1")


def test_two_strong_definitions_are_an_error_that_names_both():
    with pytest.raises(DuplicateSymbolError) as caught:
        resolve(inputs(make("a", ["f"]), make("b", ["f"])))
    assert caught.value.duplicates == (("f", "a:(.text+0x0)", "b:(.text+0x0)"),)


def test_common_blocks_are_merged_to_the_largest_and_strictest():
    found = resolve(inputs(make("a", commons=[("c", 4, 4)]), make("b", commons=[("c", 100, 2)])))
    assert found.commons == {"c": Common("c", 100, 4, False)}


def test_a_definition_wins_over_common_and_common_over_weak():
    assert resolve(inputs(make("a", commons=[("c", 4, 4)]), make("b", ["c"]))).commons == {}
    for order in ([0, 1], [1, 0]):
        pair = [make("a", commons=[("c", 4, 4)]), make("w", weak=["c"])]
        found = resolve(inputs(*[pair[at] for at in order]))
        assert meaning(found, order.index(1), "c") == "Common"


def test_all_undefined_names_are_reported_with_who_refers_to_them():
    with pytest.raises(UndefinedSymbolsError) as caught:
        resolve(inputs(make("a", ["main"], wants=["f", "g"]), make("b", wants=["g"])))
    assert {symbol.name: symbol.referrers for symbol in caught.value.symbols} == {
        "f": ("a:(.text+0x0) in main",), "g": ("a:(.text+0x8)", "b:(.text+0x0)"),
    }  # fmt: skip


def test_a_hidden_reference_cannot_mean_something_outside():
    with pytest.raises(UndefinedSymbolsError):
        resolve(inputs(make("a", hidden_wants=["f"]), process=table(f=1)))


def test_linker_defined_names_come_before_the_processs():
    found = resolve(inputs(make("a", wants=["_end", "__dso_handle"]), process=table(_end=1, __dso_handle=2)))
    assert meaning(found, 0, "_end") == LinkerDefined.__name__
    assert meaning(found, 0, "__dso_handle") == LinkerDefined.__name__


def test_a_versioned_reference_asks_for_that_version():
    class Versions:
        name = "libc"

        def find(self, name, version=None):
            return Definition(name, 7, f"{name} {version}")

    assert meaning(resolve(inputs(make("a", wants=["f@V1"]), process=Versions())), 0, "f@V1") == "f V1"


def test_a_default_version_answers_to_the_plain_name():
    found = resolve(inputs(make("a", wants=["f", "f@V2"]), make("b", ["f@@V2"])))
    assert (meaning(found, 0, "f"), meaning(found, 0, "f@V2")) == ("b", "b")


def test_the_last_resorts_come_after_the_process():
    last = (Members("last", make("no", ["f"]), make("m", ["g"])),)
    found = resolve(inputs(make("a", wants=["f", "g"]), process=table(f=1), last=last))
    assert (meaning(found, 0, "f"), meaning(found, 0, "g")) == ("process", "m")


def test_names_that_ld_provides_yield_to_an_archives_definition_but_not_to_the_processs():
    archive = Members("lib.a", make("m", ["end"]))
    found = resolve(inputs(make("a", wants=["end", "edata"]), providers=[archive], process=table(end=1, edata=2)))
    assert (meaning(found, 0, "end"), meaning(found, 0, "edata")) == ("m", LinkerDefined.__name__)


def test_a_common_block_pulls_the_member_that_defines_it():
    archive = Members("lib.a", make("no", commons=[("d", 4, 4)]), make("m", ["c"]))
    found = resolve(inputs(make("a", commons=[("c", 4, 4), ("d", 4, 4)]), providers=[archive]))
    assert ([object.name for object in found.objects], list(found.commons)) == (["a", "m"], ["d"])


def test_with_process_first_a_common_block_of_a_member_means_the_processs():
    archive = Members("lib.a", make("m", ["f"], commons=[("c", 4, 4)]))
    found = resolve(inputs(make("a", wants=["f"]), providers=[archive], process=table(c=2), process_first=True))
    assert meaning(found, 1, "c") == "process"
