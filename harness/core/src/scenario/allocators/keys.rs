//! Keys of allocators.

use crate::scenario::schema::Kind::{Number, Table, TableMap, Text, TextMap, Texts};
use crate::scenario::schema::Presence::{Default, Optional};
use crate::scenario::schema::{Key, key};

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("allocators", TableMap, Default("{}"), "How each allocator but `system` is provided."),
    key("allocators.*.features", Texts, Default("[]"), "Cargo features that choose it."),
    key("allocators.*.env", TextMap, Default("{}"), "Environment that tunes it; `prof:true` in its `MALLOC_CONF` as under `service.env`."),
    key("allocators.*.preload", Text, Optional, "A shared library that is loaded before all others (`LD_PRELOAD`), such as `libjemalloc.so.2`: looked for in the system's library folders, or with a `/` relative to the scenario file. Every process of the service must have it mapped once it is ready, or the cell is `invalid`."),
    key("allocators.*.verify", Table, Optional, "How to see that it is in use, as for flags. Without it: what is preloaded is looked for among the mapped files; of an allocator with `jemalloc` or `mimalloc` in its name and with `features`, its symbols in the program or its mapped library; all others are \"unverified\". Under `system` neither of these two may be in the service, if the axis has it: the cell is `invalid` then."),
    key("allocators.*.verify.contains", Text, Optional, "The answer to a GET of `path` contains this text."),
    key("allocators.*.verify.metric", Text, Optional, "Prometheus text at `path` has this metric."),
    key("allocators.*.verify.value", Number, Optional, "The sum of the series of `metric` is this number."),
    key("allocators.*.verify.path", Text, Optional, "What `contains` and `metric` ask, as for flags."),
    key("allocators.*.verify.log", Text, Optional, "A line of the service's log before the load contains this text."),
    key("allocators.*.verify.symbol", Text, Optional, "The symbol table of the program has a name with this text in it."),
    key("allocators.*.verify.library", Text, Optional, "A file with this text in its name is mapped into the service's main process."),
];
