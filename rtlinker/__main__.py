"""`python -m rtlinker`."""

from rtlinker.cli import command

if __name__ == "__main__":
    command()
