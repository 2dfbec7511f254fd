"""Unloading gives everything back: `make soak` does 10,000 rounds of what is done a few hundred times here."""

import pytest

from tests.soak.loads import SOURCE, grown


@pytest.mark.parametrize("flags", ["-fPIC", "-fPIE", "-fno-pic", "-fPIC -mtls-dialect=gnu2"])
def test_loads_and_unloads_leave_nothing(compile, in_child, flags):
    path = compile(SOURCE, "c++", flags=f"-g0 {flags}")
    before, after = in_child(grown, path, 100, 300)
    assert after.pop("memory") < before.pop("memory") + 512
    assert after == before
