# Every command of the project. What is longer than a line is in scripts/.

.PHONY: run console test check fmt gen bench bench-store fuzz soak

run: ## Builds console and server and starts it for local work; ARGS="--listen 127.0.0.1:9999" adds flags
	scripts/console
	cargo run --release --locked -p hoopoe -- serve --dev $(ARGS)

console: ## Builds the web console alone
	scripts/console

test: ## Every check and every test but the long ones
	scripts/test

check: ## The quick half of test: format, lints, house rules, generated files
	scripts/check

fmt: ## Formats everything
	cargo fmt --all

gen: ## Writes the generated files anew
	scripts/gen

bench: ## The benchmark's short form, under ten minutes; ARGS="--json FILE" adds flags
	cargo run --release --locked -p hoopoe -- bench all --short $(ARGS)

bench-store: ## Durable cycles per second of the embedded store alone
	cargo run --release --locked -p hoopoe-store-sqlite --example cycles

fuzz: ## Every fuzz target for a minute; SECONDS_EACH=600 for ten
	scripts/fuzz $(or $(SECONDS_EACH),60)

soak: ## The long variants: a hundred thousand simulated histories, hundreds of kills, ten minutes of each fuzz target, the benchmark to ten million rows
	scripts/soak
