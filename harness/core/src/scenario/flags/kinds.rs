//! The kinds of flags: which there are, what each of them answers, and what they can add to the start of the service.
//!
//! A kind is one file below: its type, its keys, its decoding and checks, what it changes, and its words in messages.

mod arg;
mod cargo_feature;
mod cfg;
pub mod config;
mod env;
mod http;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::arg::Arg;
use self::cargo_feature::CargoFeature;
use self::cfg::Cfg;
use self::config::{Config, Patch};
use self::env::Env;
use self::http::Http;
pub use self::http::SwitchRequest;
use super::Flag;
use crate::scenario::Scenario;
use crate::scenario::check::Check;
use crate::scenario::read::{Reader, Section};
use crate::scenario::schema::{Key, Kind, Presence, key, only};
use steep_judge::ids::FlagSet;

/// How a flag is switched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// A cargo feature of the package.
    CargoFeature(CargoFeature),
    /// A condition of the source.
    Cfg(Cfg),
    /// A variable of the service's environment.
    Env(Env),
    /// Arguments of the service.
    Arg(Arg),
    /// A value in a file of the service.
    Config(Config),
    /// A request to the service.
    Http(Http),
}

/// The kinds, as `flags[].kind` lists them.
const KINDS: [Listed; 6] = [cargo_feature::KIND, cfg::KIND, env::KIND, arg::KIND, config::KIND, http::KIND];

/// The keys of kinds, in the order of the reference.
pub(super) const KEYS: [&[Key]; 6] = [cargo_feature::KEYS, cfg::KEYS, http::KEYS, env::KEYS, config::KEYS, SHARED];

/// Keys of several kinds.
#[rustfmt::skip]
const SHARED: &[Key] = &[
    only(key("flags[].on", Kind::TextOrTexts, Presence::Optional, "Value of the variable, the arguments, or the value in the file, where the flag is on; `\"1\"` (`env`) or `true` (`config`) if not given. In a file a text is written in the type that stands there, and numbers and booleans need one of theirs. Of a flag with `values`: always, with `{{value}}` in it; the value alone if not given. In variables and arguments of flags, axes and allocators `{{port}}`, `{{dir}}` and `{{<dependency>.port}}` are filled in as in `service.args`."), "kind", &["env", "arg", "config"]),
    only(key("flags[].off", Kind::TextOrTexts, Presence::Optional, "The same where it is off. Without it: the variable is unset, no arguments, the file says what it says. Not for a flag with `values`."), "kind", &["env", "arg", "config"]),
    only(key("flags[].values", Kind::Scalars, Presence::Optional, "Beyond on and off: what it may be; the first is what it is in production. The others show in cell ids and lists of flags as `cache=lru`; no two of them are on at once."), "kind", &["env", "arg", "config"]),
];

/// The names of the kinds.
pub(super) const NAMES: [&str; KINDS.len()] = {
    let mut names = [""; KINDS.len()];
    let mut place = 0;
    while place < KINDS.len() {
        names[place] = KINDS[place].name;
        place += 1;
    }
    names
};

/// A kind, as it stands in the list.
pub(super) struct Listed {
    /// Its name.
    name: &'static str,
    /// Reads a flag of this kind, which has values or is on or off.
    decode: fn(&mut Reader, &Section<'_>, bool) -> Switch,
    /// What flags of this kind must hold together.
    together: Option<fn(&mut Check<'_>, &Scenario)>,
}

/// What a kind answers. What it does not answer is nothing.
pub(super) trait FlagKind {
    /// What is switched, in words.
    fn described(&self) -> String;

    /// Finds what is wrong with `flag`, which is of this kind and stands at `path`.
    fn check(&self, check: &mut Check<'_>, path: &str, flag: &Flag);

    /// Whether the flags `own` and `other` switch the same, whatever they write.
    fn is_same(&self, own: &Flag, other: &Flag) -> bool {
        own.switch == other.switch
    }

    /// Texts that the service gets, with the keys that they stand in.
    fn given(&self) -> Vec<(&'static str, &String)> {
        Vec::new()
    }

    /// The texts that a flag with values writes its value into.
    fn written(&self) -> &[String] {
        &[]
    }

    /// What of a build it switches, in words: a command is not built by steep and has none.
    fn of_builds(&self) -> Option<&'static str> {
        None
    }

    /// The cargo feature that the build has where the flag is on.
    fn feature(&self) -> Option<&str> {
        None
    }

    /// What rustc gets as `--cfg` where the flag is on.
    fn cfg(&self) -> Option<&str> {
        None
    }

    /// The variable of the service's environment that it sets.
    fn variable(&self) -> Option<&str> {
        None
    }

    /// Whether the service is asked to switch.
    fn asks_service(&self) -> bool {
        false
    }

    /// Adds to `settings` what the service is started with where the flag is in this `state`.
    fn start(&self, scenario: &Scenario, state: State<'_>, settings: &mut CellSettings);
}

/// What a flag is in a cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct State<'s> {
    /// Its name.
    flag: &'s str,
    /// Whether it is on.
    is_on: bool,
    /// Its value; none: it is on or off.
    value: Option<&'s str>,
}

impl Switch {
    pub(super) fn kind(&self) -> &dyn FlagKind {
        match self {
            Self::CargoFeature(kind) => kind,
            Self::Cfg(kind) => kind,
            Self::Env(kind) => kind,
            Self::Arg(kind) => kind,
            Self::Config(kind) => kind,
            Self::Http(kind) => kind,
        }
    }

    /// The cargo feature that the build has where the flag is on; none: it is of another kind.
    #[must_use]
    pub fn feature(&self) -> Option<&str> {
        self.kind().feature()
    }

    /// What rustc gets as `--cfg` where the flag is on; none: it is of another kind.
    #[must_use]
    pub fn cfg(&self) -> Option<&str> {
        self.kind().cfg()
    }

    /// The variable of the service's environment that it sets; none: it is of another kind.
    pub(super) fn variable(&self) -> Option<&str> {
        self.kind().variable()
    }

    /// Whether the service is asked to switch.
    pub(in crate::scenario) fn asks_service(&self) -> bool {
        self.kind().asks_service()
    }
}

/// The switch of a flag, by its kind; of one whose kind is missing or wrong, one in which no check finds a problem.
pub(super) fn switch(reader: &mut Reader, section: &Section<'_>, kind: Option<&str>, has_values: bool) -> Switch {
    match KINDS.iter().find(|listed| Some(listed.name) == kind) {
        Some(listed) => (listed.decode)(reader, section, has_values),
        None => arg::neutral(has_values),
    }
}

/// What the flags of each kind must hold together.
pub(super) fn check_together(check: &mut Check<'_>, scenario: &Scenario) {
    for together in KINDS.iter().filter_map(|listed| listed.together) {
        together(check, scenario);
    }
}

/// What a cell adds to the start of the service. The value of a flag with values stands in it; ports and folders are
/// filled in when the service is started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CellSettings {
    /// Variables set, and variables unset (none).
    pub env: BTreeMap<String, Option<String>>,
    /// Arguments added.
    pub args: Vec<String>,
    /// A shared library that is loaded before all others.
    pub preload: Option<String>,
    /// Values of files of the service.
    pub patches: Vec<Patch>,
    /// Sent once the service is ready: the flag that each switches, and the request.
    pub requests: Vec<(String, SwitchRequest)>,
}

impl CellSettings {
    /// All of it in one text, by which two can be compared: equal for equal ones alone.
    #[must_use]
    pub fn shown(&self) -> String {
        let Self { env, args, preload, patches, requests } = self;
        // Which flag sends a request makes no difference to the service.
        let requests: Vec<&SwitchRequest> = requests.iter().map(|(_, request)| request).collect();
        format!("{env:?} {args:?} {preload:?} {patches:?} {requests:?}")
    }
}

impl Flag {
    /// Adds to `settings` what the service is started with in a cell with these `flags`.
    pub fn start(&self, scenario: &Scenario, flags: &FlagSet, settings: &mut CellSettings) {
        let state = State { flag: &self.name, is_on: flags.contains(&self.name), value: self.value_in(flags) };
        self.switch.kind().start(scenario, state, settings);
    }
}
