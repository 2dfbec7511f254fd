"""Calling something in a forked child under ptrace, and telling how it died."""
