# The front door of the repository. Every target is one script; read those to see what happens.

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-stop clean-demo demo-https clean-demo-https demo-cluster clean-demo-cluster \
	test test-cluster test-load fuzz lint release \
	bench-deploy bench-proxy bench-dns

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what a Debian or Ubuntu machine lacks, start Docker
	@scripts/setup.sh

demo: ## from nothing to a running app, then what to try next
	@scripts/demo.sh

demo-stop: ## stop the demo's daemon; its apps keep running
	@scripts/demo.sh stop

clean-demo: ## destroy the demo's app, stop its daemon, delete its data
	@scripts/demo.sh clean

demo-https: ## a domain, its DNS and its certificate, all on this machine
	@scripts/demo-https.sh

clean-demo-https: ## destroy its app, stop its servers, delete its data
	@scripts/demo-https.sh clean

demo-cluster: ## three machines on this one: an app on all of them, and one of them lost
	@scripts/demo-cluster.sh

clean-demo-cluster: ## destroy its app, stop its servers, take its machines away
	@scripts/demo-cluster.sh clean

test: ## every test, against the real Docker
	@scripts/test.sh

test-cluster: ## those of several machines alone, with their figures
	@scripts/setup.sh tests
	@cargo test --locked -p paas --test cluster -- --nocapture --test-threads 1

test-load: ## twenty deploys of each strategy and twenty changes of config under load
	@scripts/setup.sh tests
	@PAAS_LOAD_CHANGES=20 cargo test --locked -p paas --test load -- --nocapture --test-threads 1

fuzz: ## what the edge and builds parse, a minute per parser
	@scripts/fuzz.sh

lint: ## formatting, clippy, dependencies
	@scripts/lint.sh

release: ## one static binary for x86_64 Linux
	@scripts/release.sh

bench-deploy: ## cold and warm deploys of five examples: p50 and p95 of each phase
	@scripts/bench-deploy.sh

bench-proxy: ## the edge beside nginx, haproxy and caddy, as ratios
	@scripts/bench-proxy.sh

bench-dns: ## our DNS server beside knot and bind, one core each
	@scripts/bench-dns.sh
