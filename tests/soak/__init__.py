"""Loads and unloads by the thousand: what a process may not lose by them."""
