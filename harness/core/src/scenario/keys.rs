//! Every key of a scenario: its type, default and meaning. The decoder takes types and defaults from here and refuses
//! what is not here, and the reference in `docs/scenario.md` is written from here, so neither can differ from the
//! other.

use std::fmt::Write as _;
use std::sync::LazyLock;

use super::schema::Kind::{Choice, Integer, Text};
use super::schema::Presence::{Default, Optional, Required};
pub use super::schema::{Key, Kind, Presence};
use super::schema::{LARGEST, Schema, key};
use super::{
    allocators, axes, constraints, dependencies, flags, flows, http, judge, known, load, params, phases, plan, report,
    requests, sampling, service, thresholds,
};

#[rustfmt::skip]
const TOP: &[Key] = &[
    key("name", Text, Required, "Names the run's folder: letters, digits, `-`, `_` and `.`."),
    key("seed", Integer(0, LARGEST), Default("1"), "Everything random derives from it, so every cell gets the same traffic."),
];

/// All keys, subject by subject, in the order of the reference.
pub fn keys() -> impl Iterator<Item = &'static Key> + Clone {
    let before = [
        TOP,
        service::keys::KEYS,
        service::log_events::KEYS,
        service::metrics::KEYS,
        dependencies::KEYS,
        http::keys::KEYS,
        load::keys::KEYS,
        phases::keys::KEYS,
        requests::keys::KEYS,
        requests::capture::KEYS,
        requests::conduct::KEYS,
        flows::keys::KEYS,
        params::keys::KEYS,
        load::tolerate::KEYS,
        load::external::KEYS,
        thresholds::keys::KEYS,
    ];
    let after = [
        axes::keys::KEYS,
        allocators::keys::KEYS,
        constraints::keys::KEYS,
        plan::keys::KEYS,
        sampling::KEYS,
        judge::keys::KEYS,
        known::keys::KEYS,
        report::KEYS,
    ];
    before.into_iter().chain(flags::keys::keys()).chain(after).flatten()
}

/// All keys, found by their places.
#[must_use]
pub fn schema() -> &'static Schema {
    /// Each key is asked for once for every table of a file.
    static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::of(keys()));
    &SCHEMA
}

/// The key at `path` (with `[]` and `*`), or the one for a name that the user chooses.
#[must_use]
pub fn find(path: &str) -> Option<&'static Key> {
    schema().find(path)
}

/// The reference of all keys, in Markdown: the text of `docs/scenario.md`.
#[must_use]
pub fn reference() -> String {
    let mut text = String::from(INTRODUCTION);
    text.push_str("\n| key | type | default | meaning |\n|---|---|---|---|\n");
    for key in keys() {
        let default = match key.presence {
            Default(value) => format!("`{value}`"),
            Required => "required".into(),
            Optional => "–".into(),
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
    let refused: Vec<String> = keys().filter_map(refused).collect();
    if !refused.is_empty() {
        text.push_str(
            "\n## Not supported yet\n\nThese belong to the format and are refused, with a message, until they work.\n\n",
        );
        text.push_str(&refused.concat());
    }
    text
}

/// The values of a key that later versions will know.
fn refused(key: &Key) -> Option<String> {
    let Choice(_, values) = key.kind else { return None };
    let values: Vec<_> = values.iter().map(|value| format!("`\"{value}\"`")).collect();
    (!values.is_empty()).then(|| format!("- `{}` = {}\n", key.path, values.join(", ")))
}

const INTRODUCTION: &str = "\
# Scenario reference

<!-- Written from harness/core/src/scenario/keys.rs; `just docs` writes it anew, and a test compares. -->

A scenario is one TOML file. Unknown keys are errors; `steep check FILE` reports every problem at once.

- Paths are relative to the scenario file.
- Durations are texts: `\"90s\"`, `\"5m\"`, `\"2h 30m\"`. Sizes are texts: `\"64KiB\"`, `\"512MiB\"`, `\"4B\"`. Rates are numbers,
  per second.
- `{{name}}` is replaced. In everything about processes: `{{port}}` (a free port picked by steep), `{{dir}}` (the cell's
  folder) and `{{<dependency>.port}}`. In requests: the names in `[params]`.
- In the table, `[]` stands behind a list of tables, and `*` for a name of your choice.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_stands_twice_and_each_stands_in_a_table_that_exists() {
        for (index, key) in keys().enumerate() {
            assert!(keys().skip(index + 1).all(|other| other.path != key.path), "{} stands twice", key.path);
            if let Some((table, _)) = key.path.rsplit_once('.') {
                let table = table.trim_end_matches("[]").trim_end_matches(".*");
                assert!(find(table).is_some(), "{} stands in no table", key.path);
            }
        }
    }

    #[test]
    fn every_key_has_a_meaning() {
        assert!(keys().all(|key| !key.meaning.is_empty()));
    }

    #[test]
    fn a_name_of_the_users_choice_is_found() {
        assert_eq!(find("params.*.dist").map(|key| key.path), Some("params.*.dist"));
        assert_eq!(find("plan.include[].allocator").map(|key| key.path), Some("plan.include[].*"));
        assert!(find("service.nothing").is_none());
    }
}
