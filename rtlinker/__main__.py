"""`python -m rtlinker`."""

import sys

from rtlinker.cli import main

if __name__ == "__main__":
    sys.exit(main())
