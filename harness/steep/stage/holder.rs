//! A service that writes a memfd which it never maps, hands it on to a child, and lets go of it itself when somebody
//! writes into the pipe `go`.

use std::fs::File;
use std::io::Write as _;
use std::process::Command;

use rustix::fs::{MemfdFlags, memfd_create};

use super::support::HELD;

pub(super) fn hold() {
    // Without CLOEXEC: the child inherits it.
    let mut memfd = File::from(memfd_create("spool", MemfdFlags::empty()).unwrap());
    memfd.write_all(&vec![b'y'; HELD.get() as usize]).unwrap();
    let mut heir = Command::new("sleep").arg("300").spawn().unwrap();
    println!("up");
    drop(std::fs::read_to_string("go").unwrap());
    drop(memfd);
    println!("gone");
    heir.wait().unwrap();
}
