"""An exception of a callback goes to the call it belongs to, in its thread, and nowhere else."""

import sys
import threading

import rtlinker


def test_threads_that_fail_at_once_each_get_their_own_exception(compile, in_child):
    path = compile("int go(int (*cb)(int), int n) { return cb(n); }", flags="-fPIC -g")

    def call():
        sys.setswitchinterval(1e-6)
        library, wrong = rtlinker.load(path), []

        def work(own):
            def fail(n):
                raise ValueError(own, n)

            for n in range(4000):
                try:
                    library.go(fail, n)
                    wrong.append((own, n, "nothing raised"))
                except ValueError as error:
                    if error.args != (own, n):
                        wrong.append((own, n, error.args))

        threads = [threading.Thread(target=work, args=(own,)) for own in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return wrong[:5]

    assert in_child(call) == []
