//! Every key of a scenario: its type, default and meaning. The decoder takes types and defaults from here and refuses what is
//! not here, and the reference in `docs/scenario.md` is written from here, so neither can differ from the other.

use std::fmt::Write as _;

/// A key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Where it stands: `[]` behind a list of tables, `*` for names that the user chooses.
    pub path: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// What holds where it is not given.
    pub presence: Presence,
    /// What it means, in one sentence.
    pub meaning: &'static str,
    /// The values of a neighbouring key under which it has a meaning.
    pub only: Option<(&'static str, &'static [&'static str])>,
}

/// What holds where a key is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// That is an error.
    Required,
    /// Nothing; the meaning says what follows.
    Optional,
    /// This value, in TOML.
    Default(&'static str),
    /// It is part of the contract, and a later version will know it. Refused until then.
    Later,
}

/// What a value is.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A text.
    Text,
    /// A text in which `{{name}}` is replaced.
    Template,
    /// A list of texts.
    Texts,
    /// A list of texts in which `{{name}}` is replaced.
    Templates,
    /// Names with texts.
    TextMap,
    /// Names with texts in which `{{name}}` is replaced.
    TemplateMap,
    /// A whole number in a range.
    Integer(i64, i64),
    /// A list of whole numbers in a range.
    Integers(i64, i64),
    /// A number that is not negative.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A text like `"2h 30m"`, at least and at most so many milliseconds.
    Duration(u64, u64),
    /// A text like `"64KiB"`.
    Size,
    /// A text or a list of texts, by the kind of the flag.
    TextOrTexts,
    /// One of these; the second list is for later versions.
    Choice(&'static [&'static str], &'static [&'static str]),
    /// A list of these.
    Choices(&'static [&'static str]),
    /// A table with keys of its own.
    Table,
    /// A list of tables with keys of their own.
    Tables,
    /// Names with tables.
    TableMap,
}

const SECOND: u64 = 1_000;
const DAY: u64 = 86_400 * SECOND;
/// The longest soak and wait: thirty days.
const LONGEST: u64 = 30 * DAY;
/// The largest whole number that TOML and JSON readers agree on.
const LARGEST: i64 = (1 << 53) - 1;

const fn key(path: &'static str, kind: Kind, presence: Presence, meaning: &'static str) -> Key {
    Key { path, kind, presence, meaning, only: None }
}

const fn only(key: Key, neighbour: &'static str, values: &'static [&'static str]) -> Key {
    Key { only: Some((neighbour, values)), ..key }
}

const fn later(path: &'static str, kind: Kind) -> Key {
    key(path, kind, Presence::Later, "")
}

use Kind::{
    Boolean, Choice, Choices, Duration, Integer, Integers, Number, Size, Table, TableMap, Tables, Template,
    TemplateMap, Templates, Text, TextMap, TextOrTexts, Texts,
};
use Presence::{Default, Optional, Required};

const FEATURE: &[&str] = &["cargo-feature"];

/// All keys, in the order of the reference.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("name", Text, Required, "Names the run's folder: letters, digits, `-`, `_` and `.`."),
    key("seed", Integer(0, LARGEST), Default("1"), "Everything random derives from it, so every cell gets the same traffic."),
    key("service", Table, Required, "What is soaked: `package` or `command`."),
    key("service.package", Text, Optional, "Package of the cargo workspace around the scenario file, built by steep and started."),
    key("service.bin", Text, Optional, "Which binary of the package; needed where it has several."),
    key("service.profile", Text, Default("\"release\""), "Cargo profile. It must be optimised: `dev` and `test` are refused."),
    key("service.features", Texts, Default("[]"), "Cargo features of every cell."),
    key("service.default_features", Boolean, Default("true"), "Whether the package's default features are on."),
    key("service.locked", Boolean, Default("false"), "Whether cargo must leave `Cargo.lock` as it is."),
    key("service.rustflags", Texts, Default("[]"), "Flags for rustc; they get a target folder of their own."),
    key("service.command", Templates, Optional, "Any other program and its arguments, in place of `package`. A program with a `/` is relative to the scenario file."),
    key("service.args", Templates, Default("[]"), "Arguments after the program."),
    key("service.env", TemplateMap, Default("{}"), "Variables of the service's environment, beside steep's own."),
    key("service.files", Tables, Default("[]"), "Files written before each start."),
    key("service.files[].from", Text, Required, "Template file, relative to the scenario file."),
    key("service.files[].to", Template, Required, "Where it is written, such as `{{dir}}/nginx.conf`."),
    key("service.url", Template, Required, "Base address of all requests, such as `http://127.0.0.1:{{port}}`: plain HTTP on a loopback address."),
    key("service.ready", Table, Optional, "When the service counts as up. Without it: as soon as the address in `url` takes connections."),
    key("service.ready.path", Text, Optional, "A GET of this path answers with a status below 400."),
    key("service.ready.tcp", Template, Optional, "This address (`host:port`) takes connections; in place of `path`."),
    key("service.ready.timeout", Duration(100, LONGEST), Default("\"30s\""), "How long it may take."),
    key("service.stop", Table, Default("{}"), "How the service is asked to end."),
    key("service.stop.signal", Choice(&["TERM", "INT", "QUIT", "HUP"], &[]), Default("\"TERM\""), "The signal that is sent first."),
    key("service.stop.grace", Duration(0, LONGEST), Default("\"10s\""), "How long it has before all its processes are killed."),
    key("service.memory_limit", Size, Optional, "What production gives it: the report says when growth would reach it, and a peak above 90 % of it is a `headroom` finding."),
    key("service.cpus", Integers(0, 4095), Default("[]"), "CPUs that the service is pinned to; none: all."),
    key("service.probe", Text, Optional, "Path that answers with live bytes as `steep-probe` writes them; the verdict then rests on them."),
    later("service.metrics", Table),
    later("service.log_events", Tables),
    key("dependencies", Tables, Default("[]"), "Processes that the service needs, started before it in this order. Their memory is recorded, not judged."),
    key("dependencies[].name", Text, Required, "Its name. Its port is `{{port}}` in its own texts and `{{<name>.port}}` in the service's."),
    key("dependencies[].command", Templates, Required, "Program and arguments."),
    key("dependencies[].env", TemplateMap, Default("{}"), "Variables of its environment."),
    key("dependencies[].files", Tables, Default("[]"), "Files written before each start."),
    key("dependencies[].files[].from", Text, Required, "Template file, relative to the scenario file."),
    key("dependencies[].files[].to", Template, Required, "Where it is written."),
    key("dependencies[].ready", Table, Optional, "When it counts as up. Without it: at once."),
    key("dependencies[].ready.path", Text, Optional, "A GET of this path on `127.0.0.1:{{port}}` answers with a status below 400."),
    key("dependencies[].ready.tcp", Template, Optional, "This address takes connections; in place of `path`."),
    key("dependencies[].ready.timeout", Duration(100, LONGEST), Default("\"30s\""), "How long it may take."),
    key("dependencies[].stop", Table, Default("{}"), "How it is asked to end."),
    key("dependencies[].stop.signal", Choice(&["TERM", "INT", "QUIT", "HUP"], &[]), Default("\"TERM\""), "The signal that is sent first."),
    key("dependencies[].stop.grace", Duration(0, LONGEST), Default("\"10s\""), "How long it has before it is killed."),
    key("dependencies[].before_cell", Templates, Default("[]"), "A command that is run once it is up, before each cell: fresh data."),
    key("http", Table, Default("{}"), "Connections and their limits."),
    key("http.protocol", Choice(&["http1"], &["http2"]), Default("\"http1\""), "The protocol spoken."),
    key("http.connections", Integer(1, 10_000), Default("64"), "How many, opened before the load; never more, because the service's memory follows it."),
    key("http.max_requests_per_connection", Integer(0, LARGEST), Default("0"), "A connection is closed and opened anew after so many; 0: never."),
    key("http.connect_timeout", Duration(1, LONGEST), Default("\"2s\""), "How long opening a connection may take."),
    key("http.request_timeout", Duration(1, LONGEST), Default("\"10s\""), "How long an answer may take, to the end of its body."),
    key("load", Table, Default("{}"), "How arrivals are made."),
    key("load.model", Choice(&["open"], &["closed"]), Default("\"open\""), "Open loop: a request is sent when it is due, however slow the answers are."),
    key("load.arrival", Choice(&["poisson", "constant"], &[]), Default("\"poisson\""), "Independent arrivals, or evenly spaced ones."),
    key("load.pacing", Choice(&["tick"], &["exact"]), Default("\"tick\""), "Requests are sent on a tick of 1 ms, which is cheap."),
    key("load.max_in_flight", Integer(1, 1_000_000), Default("512"), "Sent or waiting for a connection; beyond it a due request is dropped and counted."),
    key("load.cpus", Integers(0, 4095), Default("[]"), "CPUs that the driver is pinned to; none: all."),
    later("load.vus", Integer(1, LARGEST)),
    later("load.think_time", Table),
    key("phases", Tables, Required, "What the load does, in order."),
    key("phases[].name", Text, Required, "Its name in traces and reports."),
    key("phases[].role", Choice(&["warmup", "steady", "idle", "cooldown"], &[]), Required, "`warmup` and `steady` are fitted, with the warm-up modelled; `idle` and `cooldown` are left out of the fit."),
    key("phases[].shape", Choice(&["constant", "ramp", "pause"], &["stages", "step", "spike", "square", "sine", "from_file"]), Required, "The rate over its time."),
    key("phases[].duration", Duration(SECOND, LONGEST), Required, "How long it lasts."),
    only(key("phases[].rate", Number, Required, "Requests per second."), "shape", &["constant"]),
    only(key("phases[].start_rate", Number, Required, "Requests per second at its beginning."), "shape", &["ramp"]),
    only(key("phases[].target_rate", Number, Required, "Requests per second at its end."), "shape", &["ramp"]),
    later("phases[].weights", Table),
    later("phases[].close_connections", Boolean),
    only(later("phases[].stages", Tables), "shape", &["stages"]),
    only(later("phases[].increment", Number), "shape", &["step"]),
    only(later("phases[].levels", Number), "shape", &["step"]),
    only(later("phases[].level_duration", Text), "shape", &["step"]),
    only(later("phases[].peak_rate", Number), "shape", &["spike"]),
    only(later("phases[].every", Text), "shape", &["spike"]),
    only(later("phases[].width", Text), "shape", &["spike"]),
    only(later("phases[].low", Number), "shape", &["square"]),
    only(later("phases[].high", Number), "shape", &["square"]),
    only(later("phases[].halves", Number), "shape", &["square"]),
    only(later("phases[].mean", Number), "shape", &["sine"]),
    only(later("phases[].amplitude", Number), "shape", &["sine"]),
    only(later("phases[].period", Text), "shape", &["sine"]),
    only(later("phases[].start_at", Text), "shape", &["sine"]),
    only(later("phases[].path", Text), "shape", &["from_file"]),
    only(later("phases[].loop", Boolean), "shape", &["from_file"]),
    key("requests", Tables, Required, "What is sent, picked by weight."),
    key("requests[].name", Text, Required, "The label everywhere; never the raw URL."),
    key("requests[].weight", Number, Default("1"), "Share of the traffic, relative to the other weights."),
    key("requests[].method", Choice(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], &[]), Default("\"GET\""), "HTTP method."),
    key("requests[].path", Template, Required, "Path and query; begins with `/`."),
    key("requests[].headers", TemplateMap, Default("{}"), "Headers."),
    key("requests[].body", Template, Optional, "Body; none: empty."),
    key("requests[].expect", Table, Default("{}"), "What counts as success."),
    key("requests[].expect.status", Integers(100, 599), Default("[]"), "Statuses that count as success; none: 200 to 399."),
    key("params", TableMap, Default("{}"), "Where values of `{{name}}` in requests come from; drawn anew for each due request."),
    key("params.*.dist", Choice(&["uniform", "sequential", "unique"], &["zipf", "choice", "csv", "jsonl"]), Required, "`uniform` in `min..=max`; `sequential` from `min` to `max` and again; `unique`, 16 hexadecimal digits that never come twice in a cell."),
    only(key("params.*.min", Integer(0, LARGEST), Default("1"), "Smallest value."), "dist", &["uniform", "sequential"]),
    only(key("params.*.max", Integer(0, LARGEST), Required, "Largest value."), "dist", &["uniform", "sequential"]),
    only(later("params.*.exponent", Number), "dist", &["zipf"]),
    only(later("params.*.values", Texts), "dist", &["choice"]),
    only(later("params.*.path", Text), "dist", &["csv", "jsonl"]),
    only(later("params.*.pick", Text), "dist", &["csv", "jsonl"]),
    key("flags", Tables, Default("[]"), "Switches of the service: what may leak."),
    key("flags[].name", Text, Required, "Its name in cell ids and reports."),
    key("flags[].kind", Choice(&["cargo-feature", "env", "arg"], &["cfg", "config", "http"]), Required, "How it is switched."),
    only(key("flags[].feature", Text, Required, "The cargo feature."), "kind", FEATURE),
    only(key("flags[].var", Text, Required, "The variable of the service's environment."), "kind", &["env"]),
    only(key("flags[].on", TextOrTexts, Default("\"1\""), "Value of the variable, or the arguments, where the flag is on."), "kind", &["env", "arg"]),
    only(key("flags[].off", TextOrTexts, Optional, "The same where it is off. Without it: the variable is unset, no arguments."), "kind", &["env", "arg"]),
    key("flags[].default", Boolean, Default("false"), "Whether it is on in production; cell ids name what differs from that."),
    key("flags[].requires", Texts, Default("[]"), "Flags that must be on where this one is."),
    key("flags[].conflicts_with", Texts, Default("[]"), "Flags that must be off where this one is on."),
    key("flags[].verify", Table, Optional, "How to see that it took effect. Without it the report says \"unverified\"."),
    key("flags[].verify.path", Text, Required, "A GET of this path is made once the service is ready."),
    key("flags[].verify.contains", Text, Required, "The answer contains this text exactly when the flag is on."),
    later("flags[].values", Texts),
    later("flags[].group", Text),
    only(later("flags[].cfg", Text), "kind", &["cfg"]),
    only(later("flags[].key", Text), "kind", &["config"]),
    only(later("flags[].request", Table), "kind", &["http"]),
    key("axes", Tables, Default("[]"), "What is crossed with every flag set."),
    key("axes[].name", Text, Required, "Its name."),
    key("axes[].kind", Choice(&["allocator", "env"], &["arg", "cargo-feature"]), Required, "What its values are: allocators, or values of an environment variable."),
    key("axes[].values", Texts, Required, "Its values; the first is the default and stays out of cell ids."),
    only(key("axes[].var", Text, Required, "The variable of the service's environment."), "kind", &["env"]),
    key("allocators", TableMap, Default("{}"), "How each allocator but `system` is had."),
    key("allocators.*.features", Texts, Default("[]"), "Cargo features that choose it."),
    key("allocators.*.env", TextMap, Default("{}"), "Environment that tunes it."),
    later("allocators.*.preload", Text),
    key("plan", Table, Default("{}"), "Which flag sets become cells."),
    key("plan.strategy", Choice(&["off", "all", "default", "each", "leave-one-out", "full", "auto"], &["pairwise", "screening"]), Default("\"auto\""), "`off`: none on; `each`: none, and each alone (with what it requires); `leave-one-out`: all, and all but each; `auto`: `full` for up to three flags, `each` and `all` beyond."),
    key("plan.replicates", Integer(1, 1_000), Default("1"), "How often each flag set is soaked."),
    key("plan.max_cells", Integer(1, 10_000), Default("64"), "More cells than this are an error, never cut."),
    key("plan.include", Tables, Default("[]"), "Flag sets added; beside `flags`, values of axes by their name."),
    key("plan.include[].flags", Texts, Required, "Exactly these flags are on."),
    key("plan.include[].*", Text, Optional, "Value of the axis of this name; an axis that is not named means each of its values."),
    key("plan.exclude", Tables, Default("[]"), "Flag sets taken out, written like `include`."),
    key("plan.exclude[].flags", Texts, Required, "Exactly these flags are on."),
    key("plan.exclude[].*", Text, Optional, "Value of the axis of this name."),
    key("sampling", Table, Default("{}"), "How memory is read."),
    key("sampling.every", Duration(100, 60 * SECOND), Default("\"1s\""), "Time between two samples."),
    key("judge", Table, Default("{}"), "What counts as a finding."),
    key("judge.min_growth_per_request", Size, Default("\"4B\""), "The smallest growth per request worth finding; the report says what could have been seen."),
    key("judge.min_growth_per_hour", Size, Default("\"1MiB\""), "The smallest growth per hour worth finding; the larger of the two counts."),
    key("judge.strictness", Choice(&["normal", "strict"], &[]), Default("\"normal\""), "Evidence that a leak needs: a log-likelihood ratio above 3, or above 5."),
    key("judge.stop_early", Choice(&["never", "leak"], &[]), Default("\"never\""), "`leak`: a cell ends once two looks in a row (at 7, 10, 15, 20, 30, 45 minutes and so on) show a leak with strong evidence and only steady phases would follow. Never because it looks calm."),
    key("judge.fail_on", Choices(&["leak", "step", "retention", "crashed", "headroom"]), Default("[\"leak\", \"step\", \"crashed\", \"headroom\"]"), "What makes the run a finding, exit status 1."),
    later("known", Tables),
    later("thresholds", Tables),
];

/// The key at `schema` (a path with `[]` and `*`), or the one for a name that the user chooses.
#[must_use]
pub fn find(schema: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == schema).or_else(|| {
        let (table, _) = schema.rsplit_once('.')?;
        KEYS.iter().find(|key| key.path.strip_suffix(".*") == Some(table))
    })
}

/// Names of the keys in the table at `schema` (empty: the top).
pub fn names_in(schema: &str) -> impl Iterator<Item = &'static str> {
    KEYS.iter().filter_map(move |key| {
        let name = if schema.is_empty() { key.path } else { key.path.strip_prefix(schema)?.strip_prefix('.')? };
        (!name.contains(['.', '[', '*'])).then_some(name)
    })
}

impl Key {
    /// The type, as the reference names it.
    #[must_use]
    pub fn type_name(&self) -> String {
        let quoted =
            |values: &[&str]| values.iter().map(|value| format!("`\"{value}\"`")).collect::<Vec<_>>().join(", ");
        match self.kind {
            Text => "text".into(),
            Template => "text, `{{…}}`".into(),
            Texts => "list of texts".into(),
            Templates => "list of texts, `{{…}}`".into(),
            TextMap => "table of texts".into(),
            TemplateMap => "table of texts, `{{…}}`".into(),
            Integer(low, LARGEST) => format!("whole number from {low}"),
            Integer(low, high) => format!("whole number, {low} to {high}"),
            Integers(low, high) => format!("list of whole numbers, {low} to {high}"),
            Number => "number, not negative".into(),
            Boolean => "boolean".into(),
            Duration(..) => "duration".into(),
            Size => "size".into(),
            TextOrTexts => "text (`env`), list of texts (`arg`)".into(),
            Choice(values, _) => format!("one of {}", quoted(values)),
            Choices(values) => format!("list of {}", quoted(values)),
            Table => "table".into(),
            Tables => "list of tables".into(),
            TableMap => "tables by name".into(),
        }
    }
}

/// The reference of all keys, in Markdown: the text of `docs/scenario.md`.
#[must_use]
pub fn reference() -> String {
    let mut text = String::from(INTRODUCTION);
    text.push_str("\n| key | type | default | meaning |\n|---|---|---|---|\n");
    for key in KEYS.iter().filter(|key| key.presence != Presence::Later) {
        let default = match key.presence {
            Default(value) => format!("`{value}`"),
            Required => "required".into(),
            Optional | Presence::Later => "–".into(),
        };
        let only = key.only.map_or(String::new(), |(neighbour, values)| {
            format!(
                " Only with `{neighbour}` {}.",
                values.iter().map(|value| format!("`\"{value}\"`")).collect::<Vec<_>>().join(" or ")
            )
        });
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| `{}` | {} | {default} | {}{only} |", key.path, key.type_name(), key.meaning);
    }
    text.push_str(
        "\n## Not supported yet\n\nThese belong to the format and are refused, with a message, until they work.\n\n",
    );
    for key in KEYS {
        match key.kind {
            _ if key.presence == Presence::Later => {
                let _ = writeln!(text, "- `{}`", key.path);
            }
            Choice(_, values) if !values.is_empty() => {
                let values: Vec<_> = values.iter().map(|value| format!("`\"{value}\"`")).collect();
                let _ = writeln!(text, "- `{}` = {}", key.path, values.join(", "));
            }
            _ => {}
        }
    }
    text
}

const INTRODUCTION: &str = "\
# Scenario reference

<!-- Written from harness/src/scenario/keys.rs; `just docs` writes it anew, and a test compares. -->

A scenario is one TOML file. Unknown keys are errors; `steep check FILE` reports every problem at once.

- Paths are relative to the scenario file.
- Durations are texts: `\"90s\"`, `\"5m\"`, `\"2h 30m\"`. Sizes are texts: `\"64KiB\"`, `\"512MiB\"`, `\"4B\"`. Rates are numbers, per second.
- `{{name}}` is replaced. In everything about processes: `{{port}}` (a free port picked by steep), `{{dir}}` (the cell's folder) and
  `{{<dependency>.port}}`. In requests: the names in `[params]`.
- In the table, `[]` stands behind a list of tables, and `*` for a name of your choice.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_stands_twice_and_each_stands_in_a_table_that_exists() {
        for (index, key) in KEYS.iter().enumerate() {
            assert!(KEYS[index + 1..].iter().all(|other| other.path != key.path), "{} stands twice", key.path);
            if let Some((table, _)) = key.path.rsplit_once('.') {
                let table = table.trim_end_matches("[]").trim_end_matches(".*");
                assert!(find(table).is_some(), "{} stands in no table", key.path);
            }
        }
    }

    #[test]
    fn every_key_that_works_has_a_meaning() {
        assert!(KEYS.iter().all(|key| (key.presence == Presence::Later) == key.meaning.is_empty()));
    }

    #[test]
    fn a_name_of_the_users_choice_is_found() {
        assert_eq!(find("params.*.dist").map(|key| key.path), Some("params.*.dist"));
        assert_eq!(find("plan.include[].allocator").map(|key| key.path), Some("plan.include[].*"));
        assert!(find("service.nothing").is_none());
    }
}
