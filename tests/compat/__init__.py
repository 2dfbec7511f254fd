"""Small programs of many compilers, linked from objects and their runtimes: `make compat`, docs/compatibility.md."""
