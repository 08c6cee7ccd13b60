//! The effects: processes, files, sockets and clocks. Everything that touches the world outside lives below here.

pub mod clock;
pub mod host;
pub mod kinship;
pub mod probe;
pub mod process;
pub mod procfs;
pub mod sampler;
pub mod service;
pub mod supervisor;
