"""The process we live in: memory, libraries, symbol tables."""
