# make test   install into .venv and run the tests that need no data and no GPU
# make bench  measure what needs no data (benchmarks/README.md has the rest)
# make demo   install into .venv and run the whole job once on a small set of rendered people
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: install test demo bench

install: $(VENV)/installed

$(VENV)/installed: setup.py
	$(PYTHON) -m venv $(VENV) || ($(PYTHON) -m pip install virtualenv && $(PYTHON) -m virtualenv $(VENV))
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet -e ".[lite,render,test]"
	touch $@

test: install
	$(RUN) -m ruff check mmad tools eval tests benchmarks
	$(RUN) -m pytest $(PYTEST_ARGS)

demo: install
	$(RUN) tools/demo.py demo

bench: install
	$(RUN) benchmarks/suppression.py
	$(RUN) benchmarks/rendering.py
	$(RUN) benchmarks/long_video.py bench --minutes 1 10
