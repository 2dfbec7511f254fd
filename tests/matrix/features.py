"""All features, by group."""

from tests.matrix import language_c, language_cxx, lifetimes, relocations, sections, symbols, threads

GROUPS = {
    "relocations and code models": relocations.ROWS,
    "symbols": symbols.ROWS,
    "sections and forms of objects": sections.ROWS,
    "constructors and destructors": lifetimes.ROWS,
    "threads and indirect functions": threads.ROWS,
    "C++": language_cxx.ROWS,
    "C and gcc's options": language_c.ROWS,
}
FEATURES = tuple(row for rows in GROUPS.values() for row in rows)
