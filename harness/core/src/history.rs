//! The nights of a scenario: a line of at most 1 KiB for each, which is enough to see what changed between which, and
//! by how much figures move from night to night.
//!
//! Pure.

pub mod changes;
mod course;
mod figure;
mod night;

pub use self::course::{Change, Course, CourseNight, History};
pub use self::figure::Figure;
pub use self::night::{LONGEST_LINE, Night, NightCell, Recorded, Taken, names, nights};
