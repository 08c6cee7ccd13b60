//! Languages whose objects do not lie in the heap of the C library.

use serde::{Deserialize, Serialize};

/// A heap of a language's own, which a library in front of `malloc` does not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnHeap {
    /// Small objects of `CPython`.
    Cpython,
    /// V8, as in node.
    V8,
    /// A Java virtual machine.
    Jvm,
    /// .NET.
    DotNet,
    /// PHP.
    Php,
    /// Erlang and Elixir.
    Beam,
}

impl OwnHeap {
    /// What lies there, and what would show it.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Cpython => {
                "CPython keeps objects up to 512 bytes in arenas of its own; PYTHONMALLOC = \"malloc\" in service.env shows them, and changes the allocator from production's"
            }
            Self::V8 => {
                "the objects of V8 lie in a heap of its own, and only buffers and native code in this one; heap snapshots (node --heapsnapshot-signal=SIGUSR2) show them"
            }
            Self::Jvm => {
                "Java objects lie in a heap of their own, and only native memory in this one; a fixed heap (-Xms equal to -Xmx, -XX:+AlwaysPreTouch) leaves growth to native memory, jcmd PID GC.class_histogram shows objects"
            }
            Self::DotNet => {
                ".NET objects lie in a heap of their own, and only native memory in this one; dotnet-gcdump shows them"
            }
            Self::Php => {
                "PHP maps the memory of its requests itself; USE_ZEND_ALLOC = \"0\" in service.env shows it, and changes the allocator from production's"
            }
            Self::Beam => "Erlang maps the memory of its processes itself; erlang:memory() shows it",
        }
    }
}
