//! Effects: everything that touches a file, a process, a socket, a clock or the environment. What is decided here is
//! decided by the pure modules beside this one.

pub mod driver;
