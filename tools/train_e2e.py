"""`mmad train-e2e`, from a copy of the repository."""

from mmad.cli import run

if __name__ == "__main__":
    run("train-e2e")
