//! All effects: files, processes, sockets and clocks. Nothing outside this folder and `commands` has any.

pub mod build;
pub mod store;
