//! What the kernel calls things: numbers of system calls, by machine, and their flags; and the path of a file.

use core::sync::atomic::{AtomicU8, Ordering};

#[cfg(target_arch = "x86_64")]
pub mod call {
    pub const CLOSE: i64 = 3;
    pub const MMAP: i64 = 9;
    pub const MUNMAP: i64 = 11;
    pub const MREMAP: i64 = 25;
    pub const OPENAT: i64 = 257;
    pub const UNLINKAT: i64 = 263;
    pub const FALLOCATE: i64 = 285;
    pub const PRLIMIT: i64 = 302;
}
#[cfg(target_arch = "aarch64")]
pub mod call {
    pub const CLOSE: i64 = 57;
    pub const MMAP: i64 = 222;
    pub const MUNMAP: i64 = 215;
    pub const MREMAP: i64 = 216;
    pub const OPENAT: i64 = 56;
    pub const UNLINKAT: i64 = 35;
    pub const FALLOCATE: i64 = 47;
    pub const PRLIMIT: i64 = 261;
}

/// `AT_FDCWD`: a path is relative to the folder that the process is in.
pub const HERE: i64 = -100;
/// `O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC`: a file that was not there, so never one through a link.
pub const NEW_FILE: i64 = 0o2_000_302;
/// `RLIMIT_FSIZE`.
pub const LARGEST_FILE: i64 = 1;
/// `PROT_READ | PROT_WRITE`.
pub const READ_AND_WRITE: i64 = 3;
/// `PROT_WRITE`.
pub const WRITE: i32 = 2;
/// `MAP_SHARED`.
pub const SHARED: i64 = 1;
/// `MAP_FIXED`.
pub const FIXED: i32 = 0x10;
/// `MAP_ANONYMOUS`.
pub const ANONYMOUS: i32 = 0x20;
/// `CLOCK_MONOTONIC_COARSE`: to some milliseconds, which is enough for births. The exact clock reads the processor's
/// counter, which strict seccomp forbids: it ended such a program by SIGSEGV.
pub const MONOTONIC: i32 = 6;
/// `CLOCK_MONOTONIC`, for times that are asked for.
pub const EXACT: i32 = 1;
/// `PR_SET_SECCOMP` and `PR_SET_TSC`: after them the exact clock may end the thread.
pub const SET_SECCOMP: i32 = 22;
pub const SET_TSC: i32 = 26;
/// `RTLD_LAZY` and `RTLD_NOW`.
pub const LAZY: i32 = 1;
pub const NOW: i32 = 2;

/// The longest path of a folder, with a slash at its end.
const LONGEST: usize = 1024;

/// The folder of the files. Kept, because a program may change its environment.
pub struct Folder([AtomicU8; LONGEST]);

impl Folder {
    pub const fn new() -> Self {
        Self([const { AtomicU8::new(0) }; LONGEST])
    }

    /// Keeps `folder`; not if it is too long.
    pub fn is_kept(&self, folder: &[u8]) -> bool {
        let fits = folder.len() + 2 <= LONGEST;
        let bytes = folder.iter().chain(b"/");
        if fits {
            self.0.iter().zip(bytes).for_each(|(to, byte)| to.store(*byte, Ordering::Relaxed));
        }
        fits
    }

    /// The path of the file of a process, with a zero at its end; none where no folder is kept.
    pub fn path(&self, pid: u32) -> Option<[u8; LONGEST + 16]> {
        let mut path = [0_u8; LONGEST + 16];
        let mut name = *b"0000000000.live";
        name.iter_mut().take(10).rev().fold(pid, |rest, digit| {
            *digit = b'0' + (rest % 10) as u8;
            rest / 10
        });
        let folder = self.0.iter().map(|byte| byte.load(Ordering::Relaxed)).take_while(|byte| *byte != 0);
        path.iter_mut().zip(folder.chain(name)).for_each(|(to, byte)| *to = byte);
        (self.0.first()?.load(Ordering::Relaxed) != 0).then_some(path)
    }
}
