"""A server of actors in C that is upgraded three times while messages keep coming; nothing is lost.

    upgrade 1   another body of `fee`, which actors call in another object
    upgrade 2   another body of `turn`, while every actor is inside one endless call: RTL_LATEST leads it over
    upgrade 3   `struct account` grows in the middle: a migration makes the new accounts from the old ones
    refused     `send` gets another signature, and Python goes on calling it: nothing changes

Threads of Python send and run the actors; mailboxes, accounts and the loop are in server.c. Needs a C compiler.
"""

import subprocess
import tempfile
import threading
from pathlib import Path

from rtlinker import hot

HERE = Path(__file__).parent
ACTORS = 4
ENOUGH = 500
"""How many messages each version handles at least before it is replaced."""


def build(name, version):
    """Compile one file, in place of what was compiled before."""
    flags = ["-g", "-O2", "-fPIC", "-fdata-sections", f"-I{hot.include}", f"-DVERSION={version}"]
    subprocess.run(["cc", *flags, "-c", HERE / f"{name}.c", "-o", work / f"{name}.o"], check=True)


class Sender(threading.Thread):
    """Sends amounts to the actors in turn, again and again, and knows what it has sent."""

    def __init__(self):
        super().__init__(daemon=True)
        self.count = self.sum = 0

    def run(self):
        """Until the end; a full mailbox is tried again later."""
        while not stop.is_set():
            amount = self.count % 1000
            if send(self.count % ACTORS, amount):
                self.count += 1
                self.sum += amount


class Actor(threading.Thread):
    """Runs one actor. Its call of `serve` comes back only when actors are to rest."""

    def __init__(self, number):
        super().__init__(name=f"actor-{number}", daemon=True)
        self.number = number
        self.calls = 0

    def run(self):
        """Until the end; between two calls, when the actors may run."""
        while not ended.is_set():
            may_run.wait()
            self.calls += 1
            module.serve(self.number)


def handled(version):
    """How many messages the server that was compiled as `version` has handled."""
    return module["handled_by"].value[version]


def wait_until(condition):
    """Wait for it, as long as all threads are well."""
    while not condition():
        if all(thread.is_alive() for thread in (*senders, *actors)):
            stop.wait(0.001)
        else:
            raise SystemExit("a thread has died")


def rest():
    """Let every actor return from its call; messages wait in the mailboxes meanwhile."""
    may_run.clear()
    module.rest(1)


def go_on():
    """Let them run again."""
    module.rest(0)
    may_run.set()


def say(what, report):
    """What a reload did, in one line."""
    print(f"{what}: version {report.version}, changed {', '.join(report.changed)}, "
          f"{len(report.kept)} variables kept, {len(report.in_flight)} calls under way")  # fmt: skip


work = Path(tempfile.mkdtemp(prefix="actors-"))
stop, ended, may_run = threading.Event(), threading.Event(), threading.Event()
build("rules", 1)
build("server", 1)
module = hot.load(work / "server.o", work / "rules.o", name="actors")
send = module.send  # one handle for good: it always calls the newest version
senders, actors = [Sender() for _ in range(3)], [Actor(number) for number in range(ACTORS)]
may_run.set()
for thread in (*senders, *actors):
    thread.start()
wait_until(lambda: handled(1) > ENOUGH)

before = module["fees"].value
build("rules", 2)
say("upgrade 1", module.reload())
wait_until(lambda: handled(1) > 2 * ENOUGH)
assert module["fees"].value > before

build("server", 2)
say("upgrade 2", module.reload())
wait_until(lambda: handled(2) > ENOUGH)
assert [actor.calls for actor in actors] == [1] * ACTORS  # all of that was one call of each actor
print("  every actor is still in its first call of serve(), and runs version 3's turn()")

build("server", 3)
try:
    module.reload()
except hot.IncompatibleLayoutError as error:
    print("without a migration:", str(error).splitlines()[0])
rest()
# the accounts are copied field by field; no other struct account is anywhere, such as on the heap
report = module.reload(migrate={"accounts": hot.by_name}, assume_no_live=["account"])
go_on()
say("upgrade 3", report)
wait_until(lambda: handled(3) > ENOUGH)
print("  the largest payment since then:", max(account.largest for account in module["accounts"].value))

build("server", 4)
try:
    module.reload()
except hot.IncompatibleSignatureError as error:
    print("refused:", error)
count = handled(3)
wait_until(lambda: handled(3) > count + ENOUGH)
print(f"version {module.version} goes on")

stop.set()
for sender in senders:
    sender.join()
sent, total = sum(sender.count for sender in senders), sum(sender.sum for sender in senders)
wait_until(lambda: sum(account.handled for account in module["accounts"].value) == sent)
ended.set()
rest()
may_run.set()
for actor in actors:
    actor.join()
balance = sum(account.balance for account in module["accounts"].value)
by_version = {version: handled(version) for version in (1, 2, 3)}
assert sum(by_version.values()) == sent
assert balance + module["fees"].value == total
assert all(by_version.values())
module.purge()
assert [(each.number, each.state) for each in module.versions()] == [(module.version, "current")]
shares = " + ".join(f"{count:,}" for count in by_version.values())
print(f"nothing is lost: {sent:,} messages sent, {shares} handled by the servers of three versions")
print(f"no payment is lost: {total:,} sent = {balance:,} in accounts + {module['fees'].value:,} in fees")
print("old versions are gone:", [each.number for each in module.versions()], "is left")
module.close()
