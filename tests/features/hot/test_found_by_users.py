"""What people who tried to break hot reload have found, and what is so instead."""

import pytest

import rtlinker
from rtlinker import hot


@pytest.mark.parametrize("where", ["constructor", "load hook"])
def test_a_reload_within_a_reload_is_refused_and_the_outer_one_goes_on(compile, in_child, where):
    begin = {
        "constructor": "__attribute__((constructor)) static void begin(void) { called(); }",
        "load hook": "int __rtl_on_load(const void *load) { return called(); }",
    }
    first, second, third = (
        compile(f"int called(void); {begin[where]} int f(void) {{ return {number}; }}") for number in (1, 2, 3)
    )

    def run():
        modules, seen = [], []

        def called():
            for act in [each for module in modules for each in (module.close, module.rollback, module.soft_purge)]:
                with pytest.raises(rtlinker.errors.ReloadError, match="under way") as refusal:
                    act()
                seen.append(refusal.value.hint is not None)
            for module in modules:
                with pytest.raises(rtlinker.errors.ReloadError, match="under way"):
                    module.reload(third)
            return 0

        module = hot.load(first, symbols={"called": (called, "int()")})
        modules.append(module)
        module.reload(second)
        return seen, module.f(), module.version

    assert in_child(run) == ([True, True, True], 2, 2)


def test_closing_within_a_migration_is_refused_and_the_state_goes_on(compile, in_child):
    first = compile("struct state { int x; } state = {1}; int f(void) { return state.x; }")
    second = compile("struct state { int x, more; } state = {1}; int f(void) { return state.x; }")

    def run():
        module = hot.load(first)
        module["state"].value.x = 7

        def migrate(old, new):
            with pytest.raises(rtlinker.errors.ReloadError, match="under way"):
                module.close()
            new.value.x = old.value.x + 1

        module.reload(second, migrate={"state": migrate}, assume_no_live=["state"])
        return module.f()

    assert in_child(run) == 8
