"""The commands, one file each: `mmad check-data` is check_data.py.

Each has a function `main(argv)`; its docstring is what `--help` prints.
"""
