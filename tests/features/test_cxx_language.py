"""The C++ language in loaded objects: one parameter per feature, each a program that tells its answer as an int."""

# ruff: noqa: E501  # programs in tables: breaking their lines would hide them

import pytest

import rtlinker

FEATURES = {
    "vector::at throws through libstdc++": (
        "#include <vector>\n#include <stdexcept>",
        "std::vector<int> v(3); try { return v.at(9); } catch (const std::out_of_range &) { return 42; }",
        "",
    ),
    "an exception is rethrown": (
        "#include <stdexcept>\nstatic int inner() { try { throw 40; } catch (int &n) { n += 2; throw; } }",
        "try { return inner(); } catch (int n) { return n; }",
        "",
    ),
    "exceptions nest": (
        "#include <exception>\n#include <stdexcept>\n#include <string>",
        """try { try { throw std::runtime_error("in"); }
             catch (...) { std::throw_with_nested(std::logic_error("out")); } }
           catch (const std::logic_error &out) {
             try { std::rethrow_if_nested(out); } catch (const std::runtime_error &in) {
               return std::string(out.what()) + in.what() == "outin" ? 42 : 1; } }
           return 0;""",
        "",
    ),
    "an exception pointer travels": (
        "#include <exception>",
        """std::exception_ptr kept; try { throw 42; } catch (...) { kept = std::current_exception(); }
           try { std::rethrow_exception(kept); } catch (int n) { return n; }""",
        "",
    ),
    "destructors run while unwinding": (
        "static int gone; struct Counted { ~Counted() { ++gone; } };\n"
        "static void deep(int n) { Counted c; if (!n) throw n; deep(n - 1); }",
        "try { deep(41); } catch (int) { } return gone;",
        "",
    ),
    "an exception leaves a noexcept function as std::terminate": (
        "#include <exception>\n#include <csetjmp>\nstatic jmp_buf back; static void stop() { longjmp(back, 42); }\n"
        "static void refuse() noexcept { throw 1; }",
        "std::set_terminate(stop); int n = setjmp(back); if (!n) refuse(); return n;",
        "-O0",
    ),
    "dynamic_cast walks a diamond": (
        "struct A { virtual ~A() {} int a = 2; }; struct B : virtual A { int b = 10; };\n"
        "struct C : virtual A { int c = 30; }; struct D : B, C {};",
        "D d; A *a = &d; C *c = dynamic_cast<C *>(a); B *b = dynamic_cast<B *>(c); return a->a + b->b + c->c;",
        "",
    ),
    "a bad dynamic_cast throws": (
        "#include <typeinfo>\nstruct A { virtual ~A() {} }; struct B : A {};",
        "A a; A &r = a; try { dynamic_cast<B &>(r); } catch (const std::bad_cast &) { return 42; } return 0;",
        "",
    ),
    "typeid compares": (
        "#include <typeinfo>\nstruct A { virtual ~A() {} }; struct B : A {};",
        "B b; A &r = b; return typeid(r) == typeid(B) && typeid(r) != typeid(A) ? 42 : 0;",
        "",
    ),
    "virtual inheritance": (
        "struct A { int n; virtual int f() { return n; } }; struct B : virtual A { int f() override { return n + 1; } };\n"
        "struct C : virtual A {}; struct D : B, C { D() { n = 41; } };",
        "D d; C &c = d; return c.f();",
        "",
    ),
    "pure virtual methods": (
        "struct A { virtual int f() = 0; virtual ~A() {} }; struct B : A { int f() override { return 42; } };",
        "A *a = new B; int n = a->f(); delete a; return n;",
        "",
    ),
    "member pointers": (
        "struct A { int n; int f(int x) { return n + x; } virtual int g(int x) { return n * x; } };",
        "A a; a.n = 6; int A::*data = &A::n; int (A::*f)(int) = &A::f, (A::*g)(int) = &A::g;\n"
        "return (a.*g)(6) + (a.*f)(-(a.*data)) + a.*data;",
        "-O0",
    ),
    "std::function": (
        "#include <functional>",
        "int n = 40; std::function<int(int)> f = [&](int x) { return n + x; }; return f(2);",
        "",
    ),
    "std::mutex and std::thread": (
        "#include <thread>\n#include <mutex>\n#include <vector>",
        """int n = 0; std::mutex m; std::vector<std::thread> all;
           for (int i = 0; i < 6; i++) all.emplace_back([&] { for (int k = 0; k < 7; k++) { std::lock_guard<std::mutex> l(m); n++; } });
           for (auto &t : all) t.join(); return n;""",
        "",
    ),
    "std::condition_variable": (
        "#include <condition_variable>\n#include <mutex>\n#include <thread>",
        """std::mutex m; std::condition_variable c; int n = 0;
           std::thread t([&] { std::lock_guard<std::mutex> l(m); n = 42; c.notify_one(); });
           { std::unique_lock<std::mutex> l(m); c.wait(l, [&] { return n; }); } t.join(); return n;""",
        "",
    ),
    "std::regex": (
        "#include <regex>",
        'std::smatch m; std::string s = "x=42;"; return std::regex_search(s, m, std::regex("=([0-9]+)")) ? std::stoi(m[1]) : 0;',
        "",
    ),
    "std::shared_ptr": (
        "#include <memory>",
        "auto p = std::make_shared<int>(40); std::weak_ptr<int> w = p; auto q = w.lock(); return *q + p.use_count();",
        "",
    ),
    "std::variant is visited": (
        "#include <variant>\n#include <string>",
        'std::variant<int, std::string> v = "forty"; int n = std::visit([](auto &x) { return (int)sizeof x; }, v);\n'
        "v = 42; return n ? std::get<int>(v) : 0;",
        "-std=c++17",
    ),
    "std::any and std::optional": (
        "#include <any>\n#include <optional>",
        "std::any a = 40; std::optional<int> o = 2;\n"
        "try { std::any_cast<long>(a); } catch (const std::bad_any_cast &) { return std::any_cast<int>(a) + *o; } return 0;",
        "-std=c++17",
    ),
    "std::map and std::sort": (
        "#include <map>\n#include <vector>\n#include <algorithm>\n#include <string>",
        'std::map<std::string, int> m{{"b", 1}, {"a", 42}}; std::vector<int> v{3, 1, 2}; std::sort(v.begin(), v.end());\n'
        "return v[0] == 1 ? m.begin()->second : 0;",
        "",
    ),
    "std::filesystem": (
        "#include <filesystem>",
        'return std::filesystem::path("/a/b.txt").stem() == "b" && std::filesystem::exists("/") ? 42 : 0;',
        "-std=c++17",
    ),
    "std::chrono": (
        "#include <chrono>",
        "auto a = std::chrono::steady_clock::now(), b = std::chrono::steady_clock::now(); return b < a ? 0 : 42;",
        "",
    ),
    "std::random": ("#include <random>", "std::mt19937 g(1); return std::uniform_int_distribution<>(42, 42)(g);", ""),
    "std::locale": (
        "#include <locale>\n#include <sstream>",
        'std::ostringstream s; s.imbue(std::locale::classic()); s << 42; return std::isdigit(s.str()[0], s.getloc()) ? std::stoi(s.str()) : 0;',
        "",
    ),
    "std::stringstream": (
        "#include <sstream>",
        'std::stringstream s("40 2"); int a, b; s >> a >> b; return a + b;',
        "",
    ),
    "std::call_once through a mutex-free static": (
        "#include <string>\nstatic const std::string &text() { static const std::string s(42, 'x'); return s; }",
        "return text().size() + text().size() - 42;",
        "",
    ),
    "coroutines": (
        """#include <coroutine>
        struct Gen { struct promise_type { int now;
            Gen get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
            std::suspend_always initial_suspend() { return {}; } std::suspend_always final_suspend() noexcept { return {}; }
            std::suspend_always yield_value(int n) { now = n; return {}; } void return_void() {} void unhandled_exception() {} };
          std::coroutine_handle<promise_type> h; ~Gen() { h.destroy(); } };
        static Gen upto(int n) { for (int i = 1; i <= n; i++) co_yield i; }""",
        "Gen g = upto(6); int n = 0; while (g.h.resume(), !g.h.done()) n += 2 * g.h.promise().now; return n;",
        "-std=c++20 -fcoroutines",
    ),
    "ranges and concepts": (
        "#include <ranges>\n#include <vector>\ntemplate <class T> concept Small = sizeof(T) < 8;\nstatic int sum(Small auto... x) { return (x + ...); }",
        "std::vector<int> v{20, 1, 21}; int n = 0; for (int x : v | std::views::filter([](int x) { return x > 1; })) n += x; return sum(n, 1);",
        "-std=c++20",
    ),
    "lambdas as function pointers": ("#include <cstdlib>", """int v[] = {3, 42, 5};
        qsort(v, 3, sizeof *v, [](const void *a, const void *b) { return *(int *)b - *(int *)a; }); return v[0];""", ""),
    "aligned operator new": (
        "#include <cstdint>\nstruct alignas(256) Wide { int n = 42; };",
        "Wide *w = new Wide; int n = (uintptr_t)w % 256 ? 0 : w->n; delete w; return n;",
        "-std=c++17",
    ),
    "operator new is replaced": (
        "#include <cstdlib>\n#include <new>\nstatic int news;\nvoid *operator new(std::size_t n) { news++; return malloc(n); }\n"
        "void operator delete(void *p) noexcept { free(p); }\nvoid operator delete(void *p, std::size_t) noexcept { free(p); }",
        "int *p = new int(41); int n = *p + news; delete p; return n;",
        "-O0",
    ),
    "without exceptions": ("struct A { virtual int f() { return 42; } };", "A a; return a.f();", "-fno-exceptions"),
    "without RTTI": (
        "struct A { virtual ~A() {} virtual int f() { return 1; } }; struct B : A { int f() override { return 42; } };",
        "B b; A &a = b; return a.f();",
        "-fno-rtti",
    ),
}  # fmt: skip


GCC_ONLY = {"coroutines", "ranges and concepts"}
"""What Debian 12's clang 14 cannot compile from libstdc++'s headers."""

CASES = [
    (compiler, name)
    for compiler in ("g++", "clang++")
    for name in FEATURES
    if compiler == "g++" or name not in GCC_ONLY
]


@pytest.mark.parametrize(("compiler", "feature"), CASES)
def test_the_language(compile, in_child, compiler, feature):
    before, body, flags = FEATURES[feature]
    path = compile(f'{before}\nextern "C" int run() {{ {body} }}', "c++", flags.split(), compiler)

    def call():
        with rtlinker.load(path) as library:
            return library.run()

    assert in_child(call) == 42


@pytest.mark.parametrize("flags", ["-O0", "-O3", "-Os", "-fno-pic", "-fPIC", "-fPIE", "-flto -ffat-lto-objects"])
def test_the_standard_library_under(compile, in_child, flags):
    source = """
    #include <map>
    #include <sstream>
    #include <stdexcept>
    #include <typeinfo>
    struct Shape { virtual ~Shape() {} virtual int sides() const = 0; };
    struct Square : Shape { int sides() const override { return 4; } };
    extern "C" int run(int n) {
        std::map<int, std::string> names; std::ostringstream text;
        for (int i = 0; i < n; i++) { text << i; names[i] = text.str(); }
        Square square; const Shape &shape = square;
        try { names.at(n); } catch (const std::out_of_range &error) {
            return dynamic_cast<const Square *>(&shape) && typeid(shape) == typeid(Square) ? names[n - 1].size() : -1; }
        return -2;
    }
    """
    path = compile(source, "c++", flags.split())
    assert in_child(lambda: rtlinker.load(path).run(12)) == 14
