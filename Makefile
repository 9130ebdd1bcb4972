# Everything here sets itself up: a machine needs nothing but Python 3.11, 3.12 or 3.13.
#   make demo    installs, runs the main recipe on synthetic photographs, judges a handful, says where
#                both reports are
#   make quick   installs, runs the tests that take no long compilation: a habit of two minutes
#   make test    installs, runs units, contracts and one run per command
#   make test-all  what CI runs: every test
#   make parity  installs PyTorch and others, runs every live comparison with them
#   make drill   kills, damage, hostile models and mutated pictures; by hand, for hours
#   make site    installs, builds the documents as a site into site/
#   make check   lint, format and types

SHELL := /bin/bash
VENV ?= .venv
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.12 python3.11 python3.13 python; do \
	$$p -c '$(FITS)' >/dev/null 2>&1 && echo $$p && break; done)
CONFIG ?= configs/efiqa.py
# Inpainting for a fifth of the recipe's own steps; its map is as good (RESULTS.md).
SHORT := $(if $(filter configs/efiqa.py,$(CONFIG)),--config.stage.inpaint.train.steps=110)
# Layers whose tests compile little.
QUICK := $(addprefix tests/,test_layers.py photo tables evaluation predictions maps storage readers report)
RUN := $(VENV)/bin/python
# What is imported is compiled then: of all that is installed it would take half of the time.
PIP := -q --disable-pip-version-check --no-compile -c constraints.txt
# Large pages where glibc (2.35 or later, else ignored) and Linux offer them: fewer page faults.
export GLIBC_TUNABLES ?= glibc.malloc.hugetlb=1

# Where tests hold this package against PyTorch, scikit-image and others; a test keeps it complete.
REFERENCE := tests/models tests/pretrained tests/methods tests/training/test_optim.py \
	tests/inference/test_segmentors.py tests/photo/test_enhance.py tests/configs/test_paper_segmentor.py

.PHONY: site demo quick test test-all parity check clean drill

demo: $(VENV)/.train
	$(RUN) -m fiqa_jax.main --config $(CONFIG) $(SHORT)
	@test -d runs/sample || $(RUN) -m input_pipeline.sample runs/sample
	$(RUN) -m fiqa_jax.predict --output runs/sample-judged --resume runs/sample

quick: $(VENV)/.test
	$(RUN) -m pytest -q -n 2 --dist loadfile -m "not slow and not whole" $(QUICK)

test: $(VENV)/.test
	$(RUN) -m pytest -q -n 2 --dist loadfile -m "not whole"

test-all: $(VENV)/.test
	$(RUN) -m pytest -q -n 2 --dist loadfile

parity: $(VENV)/.test
	$(RUN) -m pip install $(PIP) -e '.[reference]'
	$(RUN) -m pytest -q -n 2 --dist loadfile $(REFERENCE)

drill: $(VENV)/.test
	PYTHONPATH=. $(RUN) -W ignore benchmarks/drill.py --output drill.json

site: $(VENV)/.test
	$(RUN) -m sphinx -q -W --keep-going -b html docs site

check: $(VENV)/.test
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "no Python 3.11, 3.12 or 3.13 here; set PYTHON=/path/to/one"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.train: $(VENV)/bin/python pyproject.toml constraints.txt
	$(RUN) -m pip install $(PIP) -e '.[train]'
	@touch $@

$(VENV)/.test: $(VENV)/bin/python pyproject.toml constraints.txt
	$(RUN) -m pip install $(PIP) -e '.[train,test,dicom,export,app,docs,cluster]'
	@touch $@ $(VENV)/.train

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache
