"""`python -m matchmaker`: the same as the `matchmaker` command."""

from matchmaker.cli import main

if __name__ == "__main__":
    main()
