"""Python functions that Haskell calls."""

from __future__ import annotations

from tests.features.haskell.test_values import holds  # noqa: F401  # the fixture


def test_a_python_function_is_a_haskell_function(holds):  # noqa: F811
    holds("""
    assert f.mapIO(lambda n: 2 * n, [1, 2, 3]) == [2, 4, 6]
    assert f.mapPure(lambda n: n + 1, [1, 2, 3]) == [2, 3, 4]
    assert f.three(lambda *given: repr(given)) == "('abc', 2.5, [1, 2, 3])"
    assert f.make(lambda a, b: a - b, 3) == 7
    """)


def test_a_callbacks_type_variables_stand_for_what_the_call_says(holds):  # noqa: F811
    holds("""
    tables = [f.fromPairs([("a", n)]) for n in (1, 2)]
    assert f.mapAny(lambda table: f.look(table, "a"), tables) == [1, 2]
    """)


def test_a_thousand_calls_from_haskell_come_in_order(holds):  # noqa: F811
    holds("""
    seen = []
    def note(number):
        seen.append(number)
        return number
    assert f.mapIO(note, range(1_000)) == seen == list(range(1_000))
    """)


def test_a_python_function_may_call_haskell_again(holds):  # noqa: F811
    holds("""
    def inner(n):
        return f.add(n, sum(f.mapPure(lambda m: m * n, [1, 2])))
    assert f.mapIO(inner, [1, 2, 3]) == [4, 8, 12]
    """)


def test_a_python_exception_comes_out_as_itself(holds):  # noqa: F811
    holds("""
    problem = KeyError("three")
    def fail(n):
        if n == 3:
            raise problem
        return n
    for function in (f.mapIO, f.mapPure):
        try:
            function(fail, [1, 2, 3, 4])
        except KeyError as error:
            assert error is problem
        else:
            raise AssertionError
        assert function(fail, [1, 2]) == [1, 2]
    """)


def test_haskell_can_catch_a_python_exception(holds):  # noqa: F811
    holds("""
    assert f.caught(lambda n: {}[n]) == "caught user error (KeyError: 3)"
    assert f.caught(lambda n: n) == "3"
    """)


def test_a_result_of_the_wrong_type_is_an_exception_of_the_callback(holds):  # noqa: F811
    holds("""
    wrong = refused(f.mapIO, lambda n: "no", [1])
    assert wrong["expected"] == "Int" and wrong["given"] == "str 'no'"
    assert "a callback's result" in f.caught(lambda n: "no")
    """)


def test_an_argument_that_cannot_be_evaluated_is_a_haskell_exception(holds):  # noqa: F811
    holds("""
    called = []
    try:
        f.forced(lambda n: called.append(n) or n, 0)
    except ForeignExceptionError as error:
        assert "not positive" in error.what and not called
    else:
        raise AssertionError
    assert f.forced(lambda n: n, 5) == 5
    """)


def test_haskell_may_keep_a_python_function(holds):  # noqa: F811
    holds("""
    f.store(lambda n: n * 100)
    for n in range(5):
        f.collect()
        assert f.stored(n) == n * 100
    """)


def test_haskells_own_functions_go_in_as_callbacks_too(holds):  # noqa: F811
    holds("""
    count = f.counter(10)
    assert f.mapIO(count, [1, 2, 3]) == [11, 13, 16]
    assert f.functions(lambda a: lambda b: 10 * a + b) == 12
    assert f.functions(f.counter) == 3
    """)


def test_a_failed_preparation_leaves_later_calls_alone(holds):  # noqa: F811
    holds("""
    assert refused(f.mapIO, lambda n: n, ["a"])["expected"] == "Int"
    assert f.add(1, 2) == 3
    assert f.mapIO(lambda n: n, [1]) == [1]
    """)


def test_python_functions_that_haskell_forgot_are_forgotten(holds):  # noqa: F811
    holds("""
    import gc, weakref
    class Double:
        def __call__(self, n):
            return 2 * n
    kept = Double()
    f.store(kept)
    gone = []
    for n in range(3_000):
        double = Double()
        gone.append(weakref.ref(double))
        assert f.mapIO(double, [n]) == [2 * n]
    del double
    gc.collect()
    assert sum(each() is not None for each in gone) < 1_100
    assert f.stored(4) == 8
    """)


def test_threads_of_python_take_turns(holds):  # noqa: F811
    holds("""
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: f.mapIO(lambda m: m * n, list(range(20))), range(40)))
    assert found == [[m * n for m in range(20)] for n in range(40)]
    """)


def test_an_exception_without_a_text_is_answered_too(holds):  # noqa: F811
    holds("""
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError
    def fail(n):
        raise Mute
    assert f.caught(fail) == "caught user error (Mute)"
    try:
        f.mapIO(fail, [1])
    except Mute:
        pass
    assert f.mapIO(lambda n: n, [1]) == [1]
    """)


def test_what_an_interrupted_call_leaves_behind_is_no_later_calls_result(holds):  # noqa: F811
    """Its thread waits for an answer that never comes, which the collector finds out: then it ends."""
    holds("""
    serve = values.callbacks._serve
    def interrupted(heap, request):
        values.callbacks._serve = serve
        heap.drop(request)
        raise KeyboardInterrupt
    for round in range(5):
        values.callbacks._serve = interrupted
        try:
            f.mapIO(lambda n: n, [1, 2, 3])
        except KeyboardInterrupt:
            pass
        else:
            raise AssertionError
        for n in range(5):
            f.collect()
            assert f.add(n, 1) == n + 1
            assert f.mapIO(lambda m: m + n, [1, 2]) == [1 + n, 2 + n]
    """)


def test_threads_call_with_functions_of_their_own_while_forgotten_ones_are_swept(holds):  # noqa: F811
    holds("""
    from threading import Thread
    wrong = []
    def work():
        try:
            for number in range(300):
                if f.mapIO(lambda n: n + number, [1]) != [1 + number]:
                    wrong.append(number)
        except BaseException as error:
            wrong.append(error)
    threads = [Thread(target=work) for _ in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert wrong == []
    """)
