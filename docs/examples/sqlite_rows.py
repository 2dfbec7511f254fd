"""SQLite's static archive: a database in memory, and a Python function that gets every row.

Needs libsqlite3.a (Debian: libsqlite3-dev). The archive has no debug information, so prototypes are given as text.
"""

import rtlinker

CALLBACK = "int (*each)(void *data, int count, char **values, char **names)"
PROTOTYPES = {
    "sqlite3_libversion": "const char *(void)",
    "sqlite3_open": "int(const char *file, void **database)",
    "sqlite3_exec": f"int(void *database, const char *sql, {CALLBACK}, void *data, void *error)",
    "sqlite3_close": "int(void *database)",
}


def each(data, count, values, names):
    """Called by SQLite once per row; 0 tells it to go on."""
    print({names[column]: values[column] for column in range(count)})
    return 0


with rtlinker.load(libraries=[":libsqlite3.a", "m"]) as library:
    sqlite3 = {name: library.function(name, prototype) for name, prototype in PROTOTYPES.items()}
    print("SQLite", sqlite3["sqlite3_libversion"]())
    handle = [None]
    assert sqlite3["sqlite3_open"](":memory:", handle) == 0
    database = handle[0]
    sql = "create table animal (name, legs); insert into animal values ('ant', 6), ('bird', 2), ('cat', 4);"
    assert sqlite3["sqlite3_exec"](database, sql, None, None, None) == 0
    select = "select name, legs from animal order by legs"
    assert sqlite3["sqlite3_exec"](database, select, each, None, None) == 0
    assert sqlite3["sqlite3_close"](database) == 0
