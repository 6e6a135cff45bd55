"""`python -m worker.cli` is the program `moderator`."""

from worker.cli.app import main

if __name__ == "__main__":
    main()
