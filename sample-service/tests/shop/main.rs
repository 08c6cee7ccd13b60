//! The shop, by its router and as a program. What each flag does to memory is in `growth`, which counts for itself.

mod endpoints;
mod process;
