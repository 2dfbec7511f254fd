"""Lua's static archive: a script that calls a Python function.

Needs liblua5.4.a (Debian: liblua5.4-dev). The archive has no debug information, so prototypes are given as text.
"""

import rtlinker

LUA_MULTRET, LUA_OK = -1, 0
PROTOTYPES = {
    "luaL_newstate": "void *(void)",
    "luaL_openlibs": "void(void *lua)",
    "luaL_loadstring": "int(void *lua, const char *script)",
    "lua_pcallk": "int(void *lua, int arguments, int results, int handler, long context, void *continuation)",
    "lua_pushcclosure": "void(void *lua, int (*function)(void *lua), int upvalues)",
    "lua_setglobal": "void(void *lua, const char *name)",
    "luaL_checkinteger": "long long(void *lua, int argument)",
    "lua_pushinteger": "void(void *lua, long long number)",
    "lua_tolstring": "const char *(void *lua, int index, void *length)",
    "lua_close": "void(void *lua)",
}
SCRIPT = """
local sum = 0
for number = 1, 10 do sum = sum + square(number) end
return "the squares up to 10 add up to " .. sum
"""

with rtlinker.load(libraries=[":liblua5.4.a", "m"]) as library:
    lua = {name: library.function(name, prototype) for name, prototype in PROTOTYPES.items()}

    def square(state):
        """A lua_CFunction: arguments and results travel on Lua's stack, the number of results is returned."""
        number = lua["luaL_checkinteger"](state, 1)
        lua["lua_pushinteger"](state, number * number)
        return 1

    state = lua["luaL_newstate"]()
    lua["luaL_openlibs"](state)
    lua["lua_pushcclosure"](state, square, 0)
    lua["lua_setglobal"](state, "square")
    assert lua["luaL_loadstring"](state, SCRIPT) == LUA_OK
    assert lua["lua_pcallk"](state, 0, LUA_MULTRET, 0, 0, None) == LUA_OK, lua["lua_tolstring"](state, -1, None)
    print(lua["lua_tolstring"](state, -1, None))
    lua["lua_close"](state)
