"""python -m evervec: the command line."""

from evervec.cli import main

if __name__ == "__main__":
    main()
