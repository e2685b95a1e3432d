"""`python -m atom`: the same as `atom`."""

from atom.cli import main

main()
