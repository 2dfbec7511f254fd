// C++: containers, strings, an exception with destructors on its way, iostream, thread_local, threads.
#include <iomanip>
#include <iostream>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static std::string kept;
static thread_local std::string message;
static std::map<std::string, int> started{{"at start", 42}};
static thread_local int destroyed;

struct Counted {
    ~Counted() { ++destroyed; }
};

static long divide(long a, long b) {
    Counted counted;
    if (b == 0) throw std::domain_error("cannot divide " + std::to_string(a) + " by zero");
    return a / b;
}

extern "C" {
long sum_squares(long count) {
    if (started.at("at start") != 42) return -1;
    std::vector<long> values;
    for (long i = 1; i <= count; i++) values.push_back(i * i);
    return std::accumulate(values.begin(), values.end(), 0L);
}

const char *repeat_word(const char *word, long times) {
    kept.clear();
    for (long i = 0; i < times; i++) kept += (i ? "-" : "") + std::string(word);
    return kept.c_str();
}

long try_divide(long a, long b) {
    int before = destroyed;
    try {
        return divide(a, b);
    } catch (const std::logic_error &error) {
        message = error.what();
        return destroyed == before + 1 ? -1 : -2;
    }
}

const char *last_error() { return message.c_str(); }

void say_hello(const char *name) {
    std::cout << "hello, " << name << " (" << std::fixed << std::setprecision(2) << 1.5 << ")" << std::endl;
}

long in_threads(long count) {
    std::vector<long> results(4);
    std::vector<std::thread> threads;
    for (long &result : results) threads.emplace_back([&result, count] {
        result = try_divide(1, 0) == -1 && message.size() == 23 ? sum_squares(count) : -1;
    });
    for (std::thread &thread : threads) thread.join();
    return std::accumulate(results.begin(), results.end(), 0L);
}
}
