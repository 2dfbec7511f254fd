// D: the garbage collector, strings, an exception, associative arrays, writefln, module variables (thread-local), threads.
module program;

import core.runtime : Runtime;
import core.thread : Thread;
import std.algorithm : map, sum;
import std.array : array, join;
import std.conv : to;
import std.range : iota, repeat;
import std.stdio : stdout, writefln;
import std.string : fromStringz, toStringz;

string kept, message;
int started;

static this() { started = 42; }

long divide(long a, long b) {
    if (b == 0) throw new Exception("cannot divide " ~ a.to!string ~ " by zero");
    return a / b;
}

extern (C):

bool start() { return Runtime.initialize(); }

bool finish() { return Runtime.terminate(); }

long sum_squares(long count) {
    if (started != 42) return -1;
    long[long] squares;
    foreach (i; 1 .. count + 1) squares[i] = i * i;
    return squares.values.sum;
}

const(char)* repeat_word(const(char)* word, long times) {
    kept = word.fromStringz.idup.repeat(times).join("-");
    return kept.toStringz;
}

long try_divide(long a, long b) {
    try return divide(a, b);
    catch (Exception error) {
        message = error.msg;
        return -1;
    }
}

const(char)* last_error() { return message.toStringz; }

void say_hello(const(char)* name) {
    writefln("hello, %s (%.2f)", name.fromStringz, 1.5);
    stdout.flush();
}

long in_threads(long count) {
    auto results = new long[4];
    Thread[] threads;
    foreach (i; 0 .. 4) threads ~= (n) {
        return new Thread({ results[n] = try_divide(1, 0) == -1 ? sum_squares(count) : -1; });
    }(i);
    foreach (thread; threads) thread.start();
    foreach (thread; threads) thread.join();
    return results.sum;
}
