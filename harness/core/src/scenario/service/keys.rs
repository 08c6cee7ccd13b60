//! Keys of the service.

use crate::scenario::schema::Kind::{
    Boolean, Choice, Duration, Integers, Size, Table, Tables, Template, TemplateMap, Templates, Text, Texts,
};
use crate::scenario::schema::Presence::{Default, Optional, Required};
use crate::scenario::schema::{Key, LONGEST, key};

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
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
    key("service.env", TemplateMap, Default("{}"), "Variables of the service's environment, beside steep's own. A variable that ends in `MALLOC_CONF` and has `prof:true` has jemalloc write heap profiles where nothing can be loaded into the program: steep adds where and how often (docs/live-bytes.md)."),
    key("service.files", Tables, Default("[]"), "Files written before each start."),
    key("service.files[].from", Text, Required, "Template file, relative to the scenario file."),
    key("service.files[].to", Template, Required, "Where it is written, such as `{{dir}}/nginx.conf`."),
    key("service.url", Template, Optional, "Base address of all requests, such as `http://127.0.0.1:{{port}}`: HTTP on a loopback address, or `https://` with `[http.tls]`. The service itself must listen there, or the dependency whose port it names (docs/ports.md). Required, unless `load.model` is `\"none\"`."),
    key("service.ready", Table, Optional, "When the service counts as up. Without it: as soon as the address in `url` takes connections; without `url`, as soon as it is started."),
    key("service.ready.path", Text, Optional, "A GET of this path answers with a status below 400."),
    key("service.ready.tcp", Template, Optional, "This address (`host:port`) takes connections; in place of `path`."),
    key("service.ready.timeout", Duration(100, LONGEST), Default("\"30s\""), "How long it may take."),
    key("service.stop", Table, Default("{}"), "How the service is asked to end."),
    key("service.stop.signal", Choice(&["TERM", "INT", "QUIT", "HUP"], &[]), Default("\"TERM\""), "The signal that is sent first."),
    key("service.stop.grace", Duration(0, LONGEST), Default("\"10s\""), "How long it has before all its processes are killed."),
    key("service.memory_limit", Size, Optional, "What production gives it: the report says when growth would reach it, and a peak above 90 % of it is a `headroom` finding."),
    key("service.enforce_limit", Boolean, Default("false"), "Whether the kernel holds the service to `memory_limit`: by a cgroup where steep may make one (all its processes together), else by `RLIMIT_DATA` (each process, and what it maps whether it is resident or not). The report says by which."),
    key("service.cpus", Integers(0, 4095), Default("[]"), "CPUs that the service is pinned to; none: all."),
    key("service.live", Choice(&["auto", "probe", "preload", "off"], &[]), Default("\"auto\""), "Where live bytes come from, what the program holds whatever its allocator keeps: from the probe, or from a library that steep preloads into a program that is not changed (docs/live-bytes.md). `auto` is the probe where `service.probe` is set, else the library where the program lets it; where it does not, resident memory decides, and the report says why."),
    key("service.probe", Text, Optional, "Path that answers with live bytes as `steep-probe` writes them; the verdict then rests on them."),
];
