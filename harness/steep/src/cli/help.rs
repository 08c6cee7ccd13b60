//! What stands below the options of each command: what is not in them, and examples.

pub(super) const EXIT_STATUS: &str = "\
Exit status:
  0  clean: nothing was found
  1  finding: a verdict in fail_on (leak, step, crashed, headroom unless the scenario says otherwise)
  2  the command line or the scenario is wrong
  3  undecided: nothing was found, and at least one cell is inconclusive, or --until left a flag unjudged
  4  could not be done: a build failed, the service was never ready, the load was not delivered, interrupted
Where several apply, the first of 2, 1, 4, 3, 0 counts.

Results go to stdout, progress and messages to stderr.

Examples:
  steep init services/checkout
  steep run services/checkout/steep.toml";

pub(super) const ACCESS_LOG_HELP: &str = "\
Ids in paths become parameters, requests are weighted by how often they came, and the rates go into
a CSV file beside the scenario. On stdout, or for a log of less than two minutes, the mean rate is
held instead.

Examples:
  steep import access-log /var/log/nginx/access.log -o soak.toml
  zcat access.log.*.gz | steep import access-log - -o soak.toml";

pub(super) const RUN_HELP: &str = "\
A package is built into `steep` below cargo's target folder; CARGO_TARGET_DIR moves it (docs/builds.md).

With --until the night is the plan: each cell is the one that tells most after those before it, no
cell is begun that would not be over in time, and what was not soaked is reported and never counted as
clean. With --resume such a run goes on in another night.

With --live the page of the report is served while the run goes on, to browsers of this host only,
and drawn anew every few seconds; it ends with the run (docs/live-view.md).

Examples:
  steep run scenarios/quickstart.toml
  steep run scenarios/quickstart.toml --live
  steep run soak.toml --cell baseline --cell sessions
  steep run soak.toml --until 07:00
  steep run soak.toml --resume results/checkout-20261122T220000Z
  steep run soak.toml --resume results/checkout-20261122T220000Z --cell cache+sessions";

pub(super) const PROFILE_HELP: &str = "\
The cell is soaked as `run` soaks it, with service.live = \"preload\" whatever the scenario says: the
program itself is not changed. Beside its trace are heap.pb.gz (for go tool pprof and others),
heap.folded (what was alive at the end) and growth.folded (what came to it), for flame graphs.

Examples:
  steep profile soak.toml
  steep profile soak.toml --cell sessions --sample 4KiB";

pub(super) const BISECT_HELP: &str = "\
Each cell is as long as the phases of the scenario. Of [plan] only the exclusions are followed, and
axes have their first values. A search ends when one answer has a posterior of 0.97. Its folder is
that of a run: report and analyze read it.

Examples:
  steep bisect soak.toml --plan-only 50
  steep bisect soak.toml --max-hours 3
  steep bisect soak.toml --resume results/checkout-20261122T220000Z";

pub(super) const COMPARE_HELP: &str = "\
Both runs are judged anew from their traces. A cell is worse or better where a figure differs by
more than matters and by more than chance, and how far chance moves figures from run to run is found
in replicates and in the nights before. A regression exits with 1, what is undecided with 3.

Examples:
  steep compare results/checkout-20261121T220000Z results/checkout-20261122T220000Z
  steep compare --baseline latest-clean results/checkout-20261122T220000Z
  steep compare --format json results/old results/new --anyway";

pub(super) const HISTORY_HELP: &str = "\
Each run adds a line of at most 1 KiB to history.jsonl beside its folder; that file is all that is
read here. Commit it, cache it, or keep it in a bucket: it outlives the folders of the runs.

Examples:
  steep history checkout
  steep history checkout --cell sessions --wide
  steep history checkout --results /srv/soaks --format json
  steep history checkout --format html -o nights.html";

pub(super) const CLEAN_HELP: &str = "\
What is to be deleted is printed first, and then asked for, unless --yes or --dry-run is given. Only
folders with a run.json of steep are deleted, links are never followed, and a run that somebody
soaks into is left alone. The last clean run of a scenario stays, for compare --baseline latest-clean, and
history.jsonl always. Of what is kept traces are compressed (trace.jsonl.zst), which every command
reads, and equal binaries become links to one file.

Examples:
  steep clean --keep 30 --keep-findings --dry-run
  steep clean --keep 30 --keep-findings --yes
  steep clean --results /srv/soaks --name checkout --keep 7";

pub(super) const COMPLETIONS_HELP: &str = "\
Examples:
  steep completions bash > ~/.local/share/bash-completion/completions/steep
  steep completions zsh > ~/.zfunc/_steep
  steep completions fish > ~/.config/fish/completions/steep.fish";

pub(super) const MAN_HELP: &str = "\
Examples:
  steep man > steep.1
  steep man import openapi > steep-import-openapi.1
  steep man run | man -l -";

pub(super) const ANALYZE_HELP: &str = "\
Examples:
  steep analyze results/quickstart-20261122T220000Z
  steep analyze results/quickstart-20261122T220000Z/sessions/trace.jsonl --format json
  steep analyze results/quickstart-20261122T220000Z/sessions --explain
  steep analyze docker-stats.log --series web
  steep analyze node.csv --columns time=timestamp,memory=rss --unit bytes

docs/recorded-series.md lists the formats, and commands that record them.";

pub(super) const REPORT_HELP: &str = "\
Examples:
  steep report results/quickstart-20261122T220000Z --format json -o report.json
  steep report --schema -o report.schema.json";
