"""C++ between objects that were linked separately: two images of one Linker, as a plug-in and its host would be."""

# ruff: noqa: E501  # programs in tables: breaking their lines would hide them

from ctypes import CFUNCTYPE, c_int

import pytest

import rtlinker

SHARED = """
#include <stdexcept>
#include <typeinfo>
struct Base { virtual ~Base(); virtual int f() const { return 1; } };
struct Odd : std::runtime_error { int n; Odd(int n) : std::runtime_error("odd"), n(n) {} };
inline int counted = 40;
inline int &local() { static int n = 1; return n; }
template <class T> struct Kept { static inline T value = 3; };
template <class T> T twice(T x) { return x + x; }
Base *make();
int thrower(int n);
const std::type_info &known();
"""

FIRST = """
Base::~Base() {}
int thrower(int n) { if (n == 1) throw 7; if (n == 2) throw Odd(8); if (n == 3) throw std::string("nine"); return n; }
const std::type_info &known() { return typeid(Kept<int>); }
void *twice_there() { return (void *)&twice<int>; }
int *counted_there() { return &counted; }
int *local_there() { return &local(); }
int *kept_there() { return &Kept<int>::value; }
"""

SECOND = """
struct Derived : Base { int f() const override { return 42; } };
void *twice_there(); int *counted_there(), *local_there(), *kept_there();
static int caught(int n) {
  try { return thrower(n); } catch (int i) { return i; } catch (const Odd &odd) { return odd.n; }
  catch (const std::string &text) { return text.size(); }
}
"""

CASES = {
    "an int is thrown across": ("return caught(1);", 7),
    "a class is thrown across": ("return caught(2);", 8),
    "a std::string is thrown across": ("return caught(3);", 4),
    "nothing is thrown across": ("return caught(5);", 5),
    "a type is one type": ("return typeid(Kept<int>) == known() && &typeid(Kept<int>) == &known();", 1),
    "dynamic_cast over a base of the first": ("Base *b = new Derived; return dynamic_cast<Derived *>(b)->f();", 42),
    "a template function is one function": ("return (void *)&twice<int> == twice_there();", 1),
    "an inline variable is one variable": ("counted += 2; return &counted == counted_there() ? *counted_there() : 0;", 42),
    "a function's static is one variable": ("local() = 9; return *local_there();", 9),
    "a template's static is one variable": ("Kept<int>::value = 9; return *kept_there();", 9),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_two_images_of_one_linker(compile, in_child, compiler, case):
    body, expected = CASES[case]
    flags = ["-std=c++17", "-O0"]
    head = "#include <string>\n" + SHARED
    first = compile(head + FIRST, "c++", flags, compiler)
    second = compile(head + SECOND + f'extern "C" int run() {{ {body} }}', "c++", flags, compiler)

    def call():
        with rtlinker.Linker() as linker:
            for path in (first, second):
                linker.load_object(path)
                linker.resolve()
            return CFUNCTYPE(c_int)(linker.lookup("run"))()

    assert in_child(call) == expected


PLUGIN = "struct Tag {}; template <class T> struct Once { static T value; }; template <class T> T Once<T>::value = 5;\n"
OWNER = PLUGIN + 'extern "C" int *owned() { return &Once<int>::value; }'
USER = (
    PLUGIN + 'extern "C" int *used() { return &Once<int>::value; } extern "C" int read() { return Once<int>::value; }'
)


@pytest.mark.parametrize("flag", ["-fPIC", "-fPIE"])
@pytest.mark.parametrize("visible", [True, False])
def test_a_unique_variable_of_a_loaded_library_is_used(compile, shared, in_child, visible, flag):
    from ctypes import CDLL, RTLD_GLOBAL, RTLD_LOCAL, c_void_p

    library_path, path = shared(OWNER, "libowner.so", language="c++"), compile(USER, "c++", [flag, "-O0"])

    def call():
        owner = CDLL(str(library_path), mode=RTLD_GLOBAL if visible else RTLD_LOCAL)
        owner.owned.restype = c_void_p
        library = rtlinker.load(path)
        used = library.function("used", "void *(void)")()
        c_int.from_address(owner.owned()).value = 9
        return int(used) == owner.owned(), library.read()

    assert in_child(call) == (True, 9)


def test_a_weak_variable_of_a_loaded_library_is_not_used(compile, shared, in_child):
    source = '__attribute__((weak)) int plain = {}; extern "C" int read() {{ return plain; }}\n'
    library_path = shared(source.format(5), "libowner.so", language="c++")
    path = compile(source.format(6), "c++", ["-fPIC", "-O0"])

    def call():
        from ctypes import CDLL, RTLD_GLOBAL

        CDLL(str(library_path), mode=RTLD_GLOBAL)
        return rtlinker.load(path).read()

    assert in_child(call) == 6
