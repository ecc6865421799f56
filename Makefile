# make test   install into .venv and run the tests that need no data and no GPU, a process for each core
#             PYTEST_ARGS="-n 0 -x -k video": in one process, until the first failure, only some; --slow: all
# make bench  measure what needs no data (benchmarks/README.md has the rest)
# make demo   install into .venv and run the whole job once on a small set of rendered people
# make docs   install into .venv and build the site of docs/, README and the others into site/
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
# One thread for each process: threads of several processes would wait for one another. A process that has nothing left
# takes tests from another; more than eight spend their time on importing torch.
PARALLEL := -n logical --maxprocesses 8 --dist worksteal

.PHONY: install test demo bench docs

install: $(VENV)/installed

$(VENV)/installed: setup.py
	$(PYTHON) -m venv $(VENV) || ($(PYTHON) -m pip install virtualenv && $(PYTHON) -m virtualenv $(VENV))
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet -e ".[lite,render,pose,demo,test,docs]"
	touch $@

test: install
	$(RUN) -m ruff check mmad tools eval tests benchmarks docs
	OMP_NUM_THREADS=1 $(RUN) -m pytest $(PARALLEL) $(PYTEST_ARGS)

demo: install
	$(RUN) tools/demo.py demo

bench: install
	$(RUN) benchmarks/suppression.py
	$(RUN) benchmarks/rendering.py
	$(RUN) benchmarks/long_video.py bench --minutes 1 10

docs: install
	$(RUN) -m sphinx -W --keep-going -q -b html docs site
	@echo "open site/index.html"
