"""`python -m bigrec` is the command `bigrec`."""

from bigrec.cli.app import run

if __name__ == "__main__":
    run()
