//! All effects: files, processes, sockets and clocks. Nothing outside this folder and `commands` has any.

pub mod access;
pub mod build;
pub mod cell;
pub mod cgroups;
pub mod clock;
pub mod driver;
pub mod external;
pub mod host;
pub mod interrupt;
pub mod kinship;
pub mod latency_log;
pub mod preload;
pub mod probe;
pub mod process;
pub mod procfs;
pub mod progress;
pub mod provenance;
pub mod recording;
pub mod sampler;
pub mod service;
pub mod store;
pub mod supervisor;
pub mod trust;
pub mod verification;
pub mod worktree;
