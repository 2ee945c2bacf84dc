# Two commands do everything on a machine with Python 3.10 to 3.13 and the package registries:
#   make course   run every chapter, render the book
#   make test     lint, types, tests, every notebook, the book in a real browser
# Both make .venv first if it is missing or out of date. `make -B test` runs all again.

PYTHON ?= python3
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
PY := $(BIN)/python
# Threads that spin while they wait make a busy machine several times slower.
export OMP_WAIT_POLICY ?= PASSIVE
# jupyter-book is a script of the environment and calls others by name.
export PATH := $(CURDIR)/$(BIN):$(PATH)

UV := uv==0.13.9
TYPESCRIPT := typescript@5.9.3
INSTALLED := .venv/.installed
TSC := .venv/typescript/node_modules/typescript/bin/tsc
CODE := $(wildcard mnist_course/*.* mnist_course/*/*.*)
CHAPTERS := $(wildcard notebooks/*.py)
NOTEBOOKS := $(wildcard notebooks/*.ipynb)
PAGES := _config.yml _toc.yml $(wildcard book/* book/*/* book/*/draw/*)
TESTS := $(wildcard tests/*.py tests/*/*.py tests/*.cfg)
BOOK := _build/html/index.html
# What the results of the tests depend on besides files: other data or another device, other stamp.
CHOICE := $(shell printf '%s' '$(MNIST_COURSE_DATA)|$(MNIST_COURSE_FASHION)|$(MNIST_COURSE_DEVICE)' | cksum | cut -d' ' -f1)
STAMPS := _build/passed/$(CHOICE)

.PHONY: course test lab book notebooks bench lint unit nbval browser clean distclean install help

help:
	@sed -n '1,4s/^# \{0,1\}//p' Makefile
	@echo "also: make lab | book | notebooks | bench | lint | unit | nbval | browser | clean | distclean"

course: $(INSTALLED)
	@status=0; $(PY) -m mnist_course run || status=$$?; \
	$(MAKE) --no-print-directory book || status=$$?; exit $$status

test: lint unit nbval browser
	@echo "All tests passed."

lint: $(STAMPS)/lint
unit: $(STAMPS)/unit
nbval: $(STAMPS)/nbval
browser: $(STAMPS)/browser

install: $(INSTALLED)

$(INSTALLED): requirements.txt constraints.txt pyproject.toml
	@echo "Setting up .venv (about 6 GB with torch for GPUs; minutes on a slow network) ..."
	@$(PYTHON) -c "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))" || \
	  { echo "Python 3.10 to 3.13 is needed; name one with: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv .venv || \
	  { echo "Python's venv module is missing (Debian and Ubuntu: apt install python3-venv)"; exit 1; }
	@$(PY) -m pip install --quiet --disable-pip-version-check "$(UV)" && \
	  $(PY) -m uv pip install --quiet -r requirements.txt || \
	  $(PY) -m pip install --disable-pip-version-check -r requirements.txt
	@touch $@

lab: $(INSTALLED)
	$(BIN)/jupyter lab notebooks

notebooks: $(INSTALLED)
	$(PY) -m mnist_course notebooks

# How fast the course is beside the programs that it grew out of; the tables go to speed.json.
bench: $(INSTALLED)
	$(PY) -m benchmarks.sources
	$(PY) -m benchmarks.processes
	$(PY) -m benchmarks.compiled

book: $(BOOK)
	@echo "The book is ready; open $(CURDIR)/$(BOOK)"

$(BOOK): $(INSTALLED) $(NOTEBOOKS) $(PAGES) $(CODE)
	@echo "Rendering the book ..."
	@mkdir -p _build
	@jupyter-book build . --all -W -n --keep-going > _build/book.log 2>&1 || \
	  { grep -E "WARNING|ERROR|Error" _build/book.log; echo "The whole log: _build/book.log"; exit 1; }
	@touch $@

# TypeScript reads the types that stand in the comments of the page's JavaScript; nothing is compiled.
$(TSC): $(INSTALLED)
	@$(BIN)/npm install --silent --no-audit --no-fund --prefix .venv/typescript $(TYPESCRIPT)
	@touch $@

$(STAMPS)/lint: $(INSTALLED) $(TSC) $(CODE) $(CHAPTERS) $(TESTS) \
  $(wildcard book/_ext/*.py book/_static/*.json book/_static/*/*.js benchmarks/*.py)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/node $(TSC) --project book/_static/jsconfig.json
	@mkdir -p $(@D) && touch $@

$(STAMPS)/unit: $(INSTALLED) $(CODE) $(CHAPTERS) $(NOTEBOOKS) $(TESTS) $(PAGES)
	$(PY) -m pytest -q -n auto --dist loadfile -m "not browser" tests
	@mkdir -p $(@D) && touch $@

# Strict comparison of all outputs on real MNIST and a CPU; elsewhere see tests/nbval_mode.py.
$(STAMPS)/nbval: $(INSTALLED) $(CODE) $(NOTEBOOKS) tests/nbval_mode.py tests/nbval.cfg
	$(PY) -m pytest -q -p tests.nbval_mode --nbval --nbval-current-env \
	  --nbval-sanitize-with tests/nbval.cfg -W default -n auto --dist loadfile notebooks
	@mkdir -p $(@D) && touch $@

$(STAMPS)/browser: $(BOOK) tests/conftest.py tests/test_browser.py tests/test_draw.py tests/test_lab.py tests/test_living.py
	$(PY) -m pytest -q -n auto --dist loadfile -m browser tests/test_browser.py tests/test_draw.py tests/test_lab.py tests/test_living.py
	@mkdir -p $(@D) && touch $@

# What was made; `distclean` also takes the environment, which takes minutes to set up again.
clean:
	rm -rf _build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

distclean: clean
	rm -rf .venv *.egg-info
