//! Judges any memory series: does it keep growing, how fast, and, of several that differ in flags, which flag does it?
//!
//! A [`growth::Series`] is read, fitted and judged by [`verdict::judge`]; [`isolation`] compares judged cells, and
//! [`bisect`] says which cell to soak next. [`simulator`] makes series of known truth, on which all of it is proven.
//! Nothing here touches files, processes, sockets or clocks.

pub mod bisect;
pub mod growth;
pub mod ids;
pub mod isolation;
pub mod simulator;
pub mod stats;
pub mod units;
pub mod verdict;
