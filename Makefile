# make demo    the main job on sample data: no network beyond the set-up, no token
# make test    all tests
# make check   format, lint, types, import rules, docs in step with the code, sandbox against GitHub's description, API against Django's
# make search  the property tests with many new random examples
# make crash   the crash matrix: every command killed, or refused the disk, at every write, rename and sync (hours)
# make hour    the sandbox's worst faults for an hour, every value held against the truth
# make audit   known vulnerabilities of everything in the locks
# make release the checkout as an archive, a wheel, list of parts (SBOM) and SHA256SUMS in dist/
# make bench   what docs/benchmarks.md shows
# make lock    rewrite the lock files from pyproject.toml (needs uv)
# Each target builds .venv when it is missing or the lock changed, and needs no network afterwards.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed-$(shell cat requirements-dev.lock requirements-oldest-client.lock pyproject.toml 2>/dev/null | cksum | cut -d' ' -f1)
OPENAPI := .cache/octokit-openapi/api.github.com.json
OPENAPI_VERSION := 23.0.2
GRAPHQL_SCHEMA := .cache/octokit-graphql-schema/schema.graphql
GRAPHQL_SCHEMA_VERSION := 15.26.1
ORACLE := .cache/oracle
ORACLE_STAMP := $(ORACLE)/.installed-$(shell cksum tests/oracle/requirements.lock 2>/dev/null | cut -d' ' -f1)
ASKER := .cache/schemathesis
ASKER_STAMP := $(ASKER)/.installed-$(shell cksum tests/described/requirements.lock 2>/dev/null | cut -d' ' -f1)
RELEASE := .cache/release
RELEASE_STAMP := $(RELEASE)/.installed-$(shell cksum release/requirements.lock 2>/dev/null | cut -d' ' -f1)
LOCKS := requirements.lock requirements-dev.lock tests/oracle/requirements.lock tests/described/requirements.lock release/requirements.lock

.PHONY: help demo test check search crash hour audit release bench lock docs format clean
help:
	@sed -n 's/^# //p' Makefile

demo: $(STAMP)
	@$(BIN)/packhouse demo

test: $(STAMP)
	$(BIN)/python -m pytest -n 3 --dist loadgroup -q -rs

check: $(STAMP) $(OPENAPI) $(GRAPHQL_SCHEMA) $(ORACLE_STAMP) $(ASKER_STAMP) $(RELEASE_STAMP) audit
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/build.py --check
	$(BIN)/python -m pytest -q tests/sandbox/test_openapi.py tests/sandbox/test_graphql_schema.py tests/extractors/test_graphql_schema.py tests/oracle tests/release tests/test_house.py
	@if [ -x $(ASKER)/bin/schemathesis ]; then $(BIN)/python tests/described/generated.py $(ASKER)/bin/schemathesis; fi

search: $(STAMP)
	$(BIN)/python -m pytest -n 2 -q --hypothesis-profile=search $$(grep -rl '@given' tests)

crash: $(STAMP)
	nice $(BIN)/python -m tests.faults.matrix

hour: $(STAMP)
	nice $(BIN)/python -m tests.faults.hour

audit: $(RELEASE_STAMP)
	@if [ -e $(RELEASE_STAMP) ]; then $(RELEASE)/bin/python release/audit.py $(LOCKS); else echo "cannot audit: pip-audit is not installed" >&2; fi

# The same commit gives the same bytes: times are those of the commit.
release: $(RELEASE_STAMP)
	@test -e $(RELEASE_STAMP) || { echo "make release needs what release/requirements.lock names" >&2; exit 2; }
	@test -z "$$(git status --porcelain)" || { echo "make release needs a clean checkout: commit first" >&2; exit 2; }
	rm -rf dist build
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(RELEASE)/bin/python -m build --wheel --no-isolation --outdir dist . >/dev/null 2>&1
	git archive --format=tar.gz --prefix=packhouse-$$(basename dist/packhouse-*.whl | cut -d- -f2)/ -o dist/packhouse-$$(basename dist/packhouse-*.whl | cut -d- -f2).tar.gz HEAD
	$(RELEASE)/bin/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible --of JSON -o dist/packhouse.cdx.json 2>/dev/null
	cd dist && sha256sum * > SHA256SUMS && cat SHA256SUMS

bench: $(STAMP)
	$(BIN)/python benchmarks/run.py

docs: $(STAMP)
	$(BIN)/python docs/build.py

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --custom-compile-command "make lock" pyproject.toml -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --custom-compile-command "make lock" pyproject.toml --extra dev -o requirements-dev.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --custom-compile-command "make lock" tests/oracle/requirements.in -o tests/oracle/requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --custom-compile-command "make lock" tests/described/requirements.in -o tests/described/requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --custom-compile-command "make lock" release/requirements.in -o release/requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --custom-compile-command "make lock" --group oldest-client -o requirements-oldest-client.lock

clean:
	rm -rf .venv .cache build dist *.egg-info

# The lock names every package there is to install, so pip resolves nothing (--no-deps).
$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "packhouse needs Python 3.11 or newer; this is $$($(PYTHON) --version 2>&1). Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo "Setting up .venv (once, under two minutes) ..." >&2
	@$(PYTHON) -m venv --clear .venv || { echo "Python's venv module is incomplete here; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes --target .venv/oldest-client -r requirements-oldest-client.lock
	@touch $(STAMP)

# GitHub's published description of its REST API, which the sandbox's answers are held against.
$(OPENAPI):
	@command -v npm >/dev/null || { echo "make check needs npm to fetch GitHub's API description (@octokit/openapi)" >&2; exit 2; }
	@mkdir -p $(dir $(OPENAPI))
	@cd $(dir $(OPENAPI)) && npm pack --silent @octokit/openapi@$(OPENAPI_VERSION) >/dev/null && tar xzf octokit-openapi-$(OPENAPI_VERSION).tgz --strip-components=2 package/generated/api.github.com.json && rm octokit-openapi-$(OPENAPI_VERSION).tgz

# GitHub's published GraphQL schema, which every query we can send is validated against.
$(GRAPHQL_SCHEMA):
	@command -v npm >/dev/null || { echo "make check needs npm to fetch GitHub's GraphQL schema (@octokit/graphql-schema)" >&2; exit 2; }
	@mkdir -p $(dir $(GRAPHQL_SCHEMA))
	@cd $(dir $(GRAPHQL_SCHEMA)) && npm pack --silent @octokit/graphql-schema@$(GRAPHQL_SCHEMA_VERSION) >/dev/null && tar xzf octokit-graphql-schema-$(GRAPHQL_SCHEMA_VERSION).tgz --strip-components=1 package/schema.graphql && rm octokit-graphql-schema-$(GRAPHQL_SCHEMA_VERSION).tgz

# Django REST framework, which the API is held against. Where it cannot be had its test skips and says so.
$(ORACLE_STAMP): $(STAMP)
	@echo "Setting up $(ORACLE) (once) ..." >&2
	@$(BIN)/python -m venv --clear $(ORACLE) && $(ORACLE)/bin/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r tests/oracle/requirements.lock && touch $@ || { rm -rf $(ORACLE); echo "Django REST framework cannot be installed here: the comparison with it is skipped" >&2; }

# schemathesis, which asks the API what its description allows and what it does not. Where it cannot be had that is skipped and said.
$(ASKER_STAMP): $(STAMP)
	@echo "Setting up $(ASKER) (once) ..." >&2
	@$(BIN)/python -m venv --clear $(ASKER) && $(ASKER)/bin/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r tests/described/requirements.lock && touch $@ || { rm -rf $(ASKER); echo "schemathesis cannot be installed here: requests made from the API's description are skipped" >&2; }

# What audits and releases. Where it cannot be had, nothing is audited, and that is said.
$(RELEASE_STAMP): $(STAMP)
	@echo "Setting up $(RELEASE) (once) ..." >&2
	@$(BIN)/python -m venv --clear $(RELEASE) && $(RELEASE)/bin/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r release/requirements.lock && touch $@ || { rm -rf $(RELEASE); echo "pip-audit cannot be installed here: nothing is audited" >&2; }
