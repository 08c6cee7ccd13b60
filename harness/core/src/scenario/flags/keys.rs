//! Keys of flags.

use crate::scenario::schema::Kind::{
    Boolean, Choice, Number, Scalars, Table, Tables, Text, TextMap, TextOrTexts, Texts,
};
use crate::scenario::schema::Presence::{Default, Optional, Required};
use crate::scenario::schema::{Key, key, only};

const FEATURE: &[&str] = &["cargo-feature"];

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("flags", Tables, Default("[]"), "Switches of the service: what may leak."),
    key("flags[].name", Text, Required, "Its name in cell ids and reports."),
    key("flags[].kind", Choice(&["cargo-feature", "cfg", "env", "arg", "config", "http"], &[]), Required, "How it is switched."),
    only(key("flags[].feature", Text, Required, "The cargo feature."), "kind", FEATURE),
    only(key("flags[].cfg", Text, Required, "Passed to rustc as `--cfg` where the flag is on. As soon as one flag has this kind, every build gets exactly the flags for rustc of `service.rustflags`, or else of `RUSTFLAGS`, and none of cargo's configuration."), "kind", &["cfg"]),
    only(key("flags[].request", Table, Required, "Sent to the service once it is ready, after each start, where the flag is on. A status from 400 up makes the cell `invalid`."), "kind", &["http"]),
    key("flags[].request.method", Choice(&["GET", "POST", "PUT", "PATCH", "DELETE"], &[]), Default("\"POST\""), "HTTP method."),
    key("flags[].request.path", Text, Required, "Path and query."),
    key("flags[].request.headers", TextMap, Default("{}"), "Headers."),
    key("flags[].request.body", Text, Optional, "Body."),
    only(key("flags[].off_request", Table, Optional, "The same where the flag is off. Without it: nothing is sent."), "kind", &["http"]),
    key("flags[].off_request.method", Choice(&["GET", "POST", "PUT", "PATCH", "DELETE"], &[]), Default("\"POST\""), "HTTP method."),
    key("flags[].off_request.path", Text, Required, "Path and query."),
    key("flags[].off_request.headers", TextMap, Default("{}"), "Headers."),
    key("flags[].off_request.body", Text, Optional, "Body."),
    only(key("flags[].var", Text, Required, "The variable of the service's environment."), "kind", &["env"]),
    only(key("flags[].key", Text, Required, "Where in the file the value stands: names with dots between, and numbers from 0 for lists (`cache.tiers.0.size`); or a JSON pointer, for names with dots (`/cache/max.size`). It must be there, with a text, number or boolean."), "kind", &["config"]),
    only(key("flags[].file", Text, Optional, "The file of `service.files` that is changed, as its `from` says; not needed where there is one. It must be written as `.toml`, `.json`, `.yaml` or `.yml`. Names in `{{…}}` are filled in first, and all but the value stays as it is."), "kind", &["config"]),
    only(key("flags[].on", TextOrTexts, Optional, "Value of the variable, the arguments, or the value in the file, where the flag is on; `\"1\"` (`env`) or `true` (`config`) if not given. In a file a text is written in the type that stands there, and numbers and booleans need one of theirs. Of a flag with `values`: always, with `{{value}}` in it; the value alone if not given. In variables and arguments of flags, axes and allocators `{{port}}`, `{{dir}}` and `{{<dependency>.port}}` are filled in as in `service.args`."), "kind", &["env", "arg", "config"]),
    only(key("flags[].off", TextOrTexts, Optional, "The same where it is off. Without it: the variable is unset, no arguments, the file says what it says. Not for a flag with `values`."), "kind", &["env", "arg", "config"]),
    only(key("flags[].values", Scalars, Optional, "Beyond on and off: what it may be; the first is what it is in production. The others show in cell ids and lists of flags as `cache=lru`; no two of them are on at once."), "kind", &["env", "arg", "config"]),
    key("flags[].default", Boolean, Default("false"), "Whether it is on in production; cell ids name what differs from that."),
    key("flags[].group", Text, Optional, "Flags of the same group are switched together. Not for a flag with `values`."),
    key("flags[].requires", Texts, Default("[]"), "Flags that must be on where this one is. What cargo's features imply needs not be said: where `cache = [\"storage\"]`, the flag of `storage` counts as on with `cache`."),
    key("flags[].conflicts_with", Texts, Default("[]"), "Flags that must be off where this one is on."),
    key("flags[].verify", Table, Optional, "How to see that it took effect. A `cargo-feature` needs none: cargo tells which features the program has that it built. Others without it are \"unverified\" in the report."),
    key("flags[].verify.contains", Text, Optional, "The answer to a GET of `path` contains this text exactly when the flag is on. Of a flag with `values`: always, with `{{value}}` in it; the texts below likewise."),
    key("flags[].verify.metric", Text, Optional, "Prometheus text at `path` has this metric exactly when the flag is on."),
    key("flags[].verify.value", Number, Optional, "The sum of the series of `metric` is this number exactly when the flag is on."),
    key("flags[].verify.path", Text, Optional, "What `contains` (needed there) and `metric` (there `/metrics` without it) ask once the service is ready."),
    key("flags[].verify.log", Text, Optional, "A line of the service's log before the load contains this text exactly when the flag is on."),
    key("flags[].verify.symbol", Text, Optional, "The symbol table of the program has a name with this text in it exactly when the flag is on."),
    key("flags[].verify.library", Text, Optional, "A file with this text in its name is mapped into the service's main process exactly when the flag is on."),
];
