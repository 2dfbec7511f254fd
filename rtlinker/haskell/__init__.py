"""Haskell: GHC's objects, the packages they need, and the runtime that evaluates their closures."""
