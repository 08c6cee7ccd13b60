# What is done often. `just` alone lists the recipes.

default:
    @just --list

# Everything that a change must pass, cheapest first
check: fmt lint test scenarios

# Formatting
fmt:
    cargo fmt --all --check

# Clippy, warnings denied
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# All tests
test:
    cargo test --workspace

# Inputs that nobody would write, for this many seconds: harness/steep/tests/commands/fuzz
fuzz SECONDS="60":
    STEEP_FUZZ_SECONDS={{SECONDS}} cargo test --release --package steep --test commands -- fuzz --nocapture

# The tables of the preloaded library under an interpreter that finds data races and undefined behaviour (nightly, miri)
miri:
    PROPTEST_CASES=4 MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test --package steep-live --lib

# The scenarios are valid
scenarios:
    for scenario in scenarios/*.toml; do cargo steep check "$scenario"; done

# Write docs/scenario.md anew from the list of keys, the schema of reports and the rules of METHOD.md from the code
docs:
    UPDATE_DOCS=1 cargo test --package steep-core --test core -- reference rules

# The main job: name the leaking flag of the sample service
quickstart:
    cargo steep run scenarios/quickstart.toml

# The live view in Chromium, from the beginning of a run of minutes to its end, in a folder that `.ci/page/run` filled
live-page FOLDER:
    .ci/page/live {{FOLDER}} scenarios/quickstart.toml

# Cost of the driver for each request, beside a bare hyper loop
bench-driver:
    cargo bench --package steep --bench driver

# Cost of sampling a service of 500 MB once a second
bench-sampler:
    cargo bench --package steep --bench sampler

# What the preloaded library adds to a pair of malloc and free, in nanoseconds: bare, counting, and with stacks
bench-live:
    cargo build --release --package steep-live --example keeps
    harness/live/benches/pairs.sh target/release

# What a judgement takes, from half an hour of readings to ten million
bench-judge:
    cargo bench --package steep-judge --bench judge

# Ten minutes at 2,000 requests/s: CPU for each request of all of steep, and growth of its own memory
own-cost:
    rm -rf target/own-cost
    cargo steep run scenarios/own-cost.toml --out target/own-cost
    cargo run --release --quiet --package steep --example own_cost -- target/own-cost/baseline

# How often the method is right on simulated services whose truth is known: the tables of METHOD.md
operating-characteristics *OPTIONS:
    cargo run --release --package steep-core --example operating_characteristics -- {{OPTIONS}}

# How often the flag that leaks is named, and an innocent one accused: the tables of docs/isolation.md
which-flag *OPTIONS:
    cargo run --release --package steep-core --example which_flag -- {{OPTIONS}}
