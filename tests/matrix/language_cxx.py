"""What C++ needs of a linker: exceptions, RTTI, statics, templates, coroutines."""

from tests.matrix.feature import c, cxx, feature

CHECK = 'extern "C" int check() '

ROWS = (
    feature("exception caught where it is thrown", cxx(CHECK + "{ try { throw 1; } catch (int n) { return n; } }")),
    feature(
        "exception through another object, destructors run",
        cxx("struct Error { int n; }; void thrower(int *); " + CHECK +
            "{ int ended = 0; try { thrower(&ended); } catch (const Error &e) { return e.n == 5 && ended == 1; "
            "} return 0; }"),
        cxx("struct Error { int n; }; struct Guard { int *at; ~Guard() { ++*at; } };\n"
            "void thrower(int *p) { Guard g{p}; throw Error{5}; }"),
    ),
    feature(
        "exception rethrown, nested, and kept (exception_ptr)",
        cxx("#include <exception>\n#include <stdexcept>\n" + CHECK + "{ std::exception_ptr kept; try { try { "
                                                                     "throw 3; } catch (...) { throw; } }\n"
            "catch (int) { kept = std::current_exception(); } try { std::rethrow_exception(kept); } catch (int n) {\n"
            'try { std::throw_with_nested(std::runtime_error("x")); } catch (std::nested_exception &e) { '
            'return n == 3; } } return 0; }'),
    ),
    feature(
        "exception thrown by libstdc++: vector::at",
        cxx("#include <vector>\n#include <stdexcept>\n" + CHECK + "{ std::vector<int> v(2); try { return v.at(7); }\n"
            "catch (const std::out_of_range &e) { return e.what()[0] == 'v'; } }"),
    ),
    feature(
        "exception through libc's qsort",
        cxx("#include <cstdlib>\n" + CHECK + "{ int list[] = {2, 1}; try { "
                                             "qsort(list, 2, 4, [](const void *, const void *) -> int { "
                                             "throw 1; }); }\n"
            "catch (int n) { return n; } return 0; }"),
    ),
    feature(
        "exception through C compiled with -fexceptions",
        cxx('extern "C" void middle(void (*)(), int *); ' + CHECK + "{ int cleaned = 0; try { middle([] { "
                                                                    "throw 1; }, &cleaned); }\n"
            "catch (int n) { return n && cleaned; } return 0; }"),
        c("static void clean(int **p) { **p = 1; } void middle(void (*f)(void), int *cleaned) {\n"
          "__attribute__((cleanup(clean))) int *p = cleaned; f(); }", "-fPIC -fexceptions"),
    ),
    feature("exceptions, non-PIC", cxx("#include <stdexcept>\n" + CHECK + "{ try { throw std::runtime_error(\"x\"); }\n"
                                      "catch (const std::exception &e) { return e.what()[0] == 'x'; } }", "-fno-pic")),
    feature("exceptions, large model",
            cxx(CHECK + "{ try { throw 1L; } catch (long n) { return n; } }", "-fPIC -mcmodel=large")),
    feature(
        "exception out of a signal handler (-fnon-call-exceptions)",
        cxx("#include <csignal>\nstatic void handler(int) { throw 1; } static int *volatile nowhere;\n" + CHECK +
            "{ struct sigaction a = {}; a.sa_handler = handler; a.sa_flags = SA_NODEFER; sigaction(SIGSEGV, &a, 0);\n"
            "try { return *nowhere; } catch (int n) { signal(SIGSEGV, SIG_DFL); return n; } }",
            "-fPIC -fnon-call-exceptions"),
    ),
    feature(
        "dynamic_cast and typeid over two objects",
        cxx("#include <typeinfo>\nstruct Base { virtual ~Base() {} }; struct Derived : Base { int n = 4; }; "
            "Base *make();\n" + CHECK +
            "{ Base *b = make(); auto *d = dynamic_cast<Derived *>(b); "
            "int ok = d && d->n == 4 && typeid(*b) == typeid(Derived);\n"
            "delete b; return ok; }"),
        cxx("struct Base { virtual ~Base() {} }; struct Derived : Base { int n = 4; }; Base *make() { "
            "return new Derived; }"),
    ),
    feature(
        "virtual bases: construction tables and thunks",
        cxx("struct A { int a = 1; virtual int get() { return a; } virtual ~A() {} }; struct B : virtual A { "
            "int b = 2; };\n"
            "struct C : virtual A { int c = 3; int get() override { return a + c; } }; struct D : B, C { "
            "int d = 4; };\n" + CHECK +
            "{ A *p = new D; int n = p->get(); D *d = dynamic_cast<D *>(p); int ok = n == 4 && d->b == 2; "
            "delete p; return ok; }", "-fPIC -O0"),
    ),
    feature("pointers to members, virtual and not",
            cxx("struct S { int n = 3; virtual int v() { return n; } int f() { return 2 * n; } }; "
                "static int (S::*const table[])() = {&S::v, &S::f};\n"
                + CHECK + "{ S s; volatile int i = 1; return (s.*table[i])() == 6 && (s.*table[i - 1])() == 3; }")),
    feature("iostream", cxx("#include <iostream>\n#include <sstream>\n" + CHECK + "{ std::ostringstream s; "
                                                                                  "s << 1.5 << ' ' << 42 << "
                                                                                  "std::hex << 255;\n"
                            "std::cout << std::flush; return s.str() == \"1.5 42ff\" && std::cout.good(); }")),
    feature(
        "libstdc++'s variable, non-PIC: std::cout",
        cxx("#include <iostream>\n" + CHECK + "{ std::cout << std::flush; return std::cout.good(); }", "-fno-pic"),
        refused="a copy would soon differ from libstdc++'s own (docs/adr/0006)",
    ),
    feature(
        "local statics with guards",
        cxx("#include <string>\nstatic int made; struct Made { Made() { made++; } }; static Made &get() { "
            "static Made m; return m; }\n"
            + CHECK + "{ static std::string s = \"abc\"; get(); get(); return made == 1 && s.size() == 3; }"),
    ),
    feature(
        "inline variables with constructors, over two objects",
        cxx("inline int made; struct M { int n; M() : n(++made) {} }; inline M m; int *other(); " + CHECK +
            "{ return made == 1 && other() == &m.n; }", "-fPIC -std=c++17"),
        cxx("inline int made; struct M { int n; M() : n(++made) {} }; inline M m; int *other() { return &m.n; }",
            "-fPIC -std=c++17"),
    ),
    feature(
        "templates: extern and explicit instantiation",
        cxx("template <class T> struct Box { T v; T get(); static int count; }; "
            "extern template struct Box<long>;\n" + CHECK +
            "{ Box<long> b{4}; return b.get() == 4 && Box<long>::count == 1; }"),
        cxx("template <class T> struct Box { T v; T get(); static int count; }; template <class T> int Box<T>::count;\n"
            "template <class T> T Box<T>::get() { count++; return v; } template struct Box<long>;"),
    ),
    feature(
        "containers, algorithms, std::function, std::any",
        cxx("#include <map>\n#include <string>\n#include <algorithm>\n#include <vector>\n#include "
            "<functional>\n#include <any>\n" + CHECK +
            "{ std::map<std::string, int> m{{\"b\", 2}, {\"a\", 1}}; std::vector<int> v{3, 1, 2}; "
            "std::sort(v.begin(), v.end());\n"
            "std::function<int(int)> f = [&](int n) { return v[n]; }; std::any a = 5;\n"
            "return m.begin()->second == 1 && f(2) == 3 && std::any_cast<int>(a) == 5; }", "-fPIC -std=c++17"),
    ),
    feature(
        "coroutines",
        cxx("#include <coroutine>\nstruct Numbers { struct promise_type { int value; "
            "Numbers get_return_object() { return {this}; }\n"
            "std::suspend_always initial_suspend() { return {}; } "
            "std::suspend_always final_suspend() noexcept { return {}; }\n"
            "std::suspend_always yield_value(int n) { value = n; return {}; } void return_void() {} "
            "void unhandled_exception() {} };\n"
            "promise_type *p; }; Numbers numbers() { for (int n = 1; ; n++) co_yield n; }\n" + CHECK +
            "{ auto h = std::coroutine_handle<Numbers::promise_type>::from_promise(*numbers().p); int sum = 0;\n"
            "for (int i = 0; i < 3; i++) { h.resume(); sum += h.promise().value; } h.destroy(); return sum == 6; }",
            "-fPIC -std=c++20"),
    ),
    feature(
        "own operator new and delete",
        cxx("#include <cstdlib>\n#include <new>\nstatic int made; void *operator new(std::size_t n) { made++; "
            "return malloc(n); }\n"
            "void operator delete(void *p) noexcept { made--; free(p); } "
            "void operator delete(void *p, std::size_t) noexcept { made--; free(p); }\n"
            + CHECK + "{ int *volatile p = new int(3); int then = made; delete p; return then == 1 && made == 0; }"),
    ),
)  # fmt: skip
