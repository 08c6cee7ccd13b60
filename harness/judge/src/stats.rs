//! Statistics over plain slices of `f64`: what a number means (bytes, seconds, requests) is the caller's.
//!
//! Pure: no files, processes, sockets, clocks, threads or output, and no type of the domain.

pub mod autocorrelation;
pub mod basis;
pub mod blocks;
pub mod cholesky;
pub mod competition;
pub mod contributions;
#[cfg(test)]
mod draw;
pub mod effects;
pub mod explained;
mod field;
pub mod fit;
mod ground;
pub mod jumps;
pub mod line;
pub mod noise;
pub mod order;
mod refinement;
pub mod response;
pub mod shapes;
pub mod sources;
pub mod student;
pub mod together;
