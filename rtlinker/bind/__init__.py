"""Calling: C types, prototypes, and the Python objects that stand for functions and data."""
