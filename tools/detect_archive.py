"""`mmad detect-archive`, from a copy of the repository."""

from mmad.cli import run

if __name__ == "__main__":
    run("detect-archive")
