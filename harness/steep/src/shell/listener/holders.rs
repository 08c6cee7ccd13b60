//! Which process has a socket among its open files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::shell::process_tree;
use crate::shell::procfs::Stat;

/// How much is shown of another program's command line: enough to know it by, and not what may be secret in it.
const COMMAND_WORDS: usize = 3;
const COMMAND_CHARS: usize = 80;

/// A chain of parents is not longer, or goes in a circle of numbers that were used again.
const GENERATIONS: usize = 256;

/// A process that has a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// Its open file.
    file: PathBuf,
}

impl Holder {
    /// Whether it has socket `inode` still, where it had it.
    pub fn still_has(&self, inode: u64) -> bool {
        socket_at(&self.file) == Some(inode)
    }
}

/// What came of a search.
#[derive(Debug, Default)]
pub struct Search {
    /// Sockets, each with the first process that has it.
    pub found: BTreeMap<u64, Holder>,
    /// A process whose open files could not be read, where not all were found.
    pub hidden: Option<u32>,
}

/// Looks for `sockets` among the open files of `pids`.
pub fn search(pids: impl Iterator<Item = u32>, sockets: &BTreeSet<u64>) -> Search {
    let mut search = Search::default();
    for pid in pids {
        if search.found.len() == sockets.len() {
            break;
        }
        match fs::read_dir(format!("/proc/{pid}/fd")) {
            Ok(files) => {
                for file in files.filter_map(Result::ok).map(|entry| entry.path()) {
                    if let Some(inode) = socket_at(&file).filter(|inode| sockets.contains(inode)) {
                        search.found.entry(inode).or_insert(Holder { pid, file });
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                search.hidden.get_or_insert(pid);
            }
            // It has ended.
            Err(_) => {}
        }
    }
    search
}

/// The number of the socket that an open file is: a link to `socket:[17]`.
fn socket_at(file: &Path) -> Option<u64> {
    fs::read_link(file).ok()?.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// All that runs below one of `supervisors`.
pub fn processes_below(supervisors: &[u32]) -> Vec<Stat> {
    let all = process_tree::processes();
    let below = supervisors.iter().flat_map(|&supervisor| process_tree::descendants(&all, supervisor));
    below.filter(|process| !process.ended).collect()
}

/// Whether `ancestor` is among the parents of process `pid`, by what they are now.
pub fn descends_from(pid: u32, ancestor: u32) -> bool {
    let mut next = pid;
    for _ in 0..GENERATIONS {
        let Some(parent) = process_tree::stat_of(next).map(|process| process.parent) else { return false };
        if parent == ancestor {
            return true;
        }
        if parent == 0 {
            return false;
        }
        next = parent;
    }
    false
}

/// Program and first words of a process's command line, in one line that is safe to show.
pub fn name_of(pid: u32) -> String {
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = command.split(|&byte| byte == 0).filter(|word| !word.is_empty());
    // What has a `=` in it is a setting, and may be a secret.
    let words: Vec<String> = words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .enumerate()
        .filter(|(place, word)| *place == 0 || !word.contains('='))
        .map(|(_, word)| word)
        .take(COMMAND_WORDS)
        .collect();
    let text = if words.is_empty() {
        String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/comm")).unwrap_or_default()).trim().to_owned()
    } else {
        words.join(" ")
    };
    in_one_line(text.chars())
}

/// The beginning of a text of others, without what a terminal would obey.
pub fn in_one_line(text: impl Iterator<Item = char>) -> String {
    let visible = |c: char| if c.is_control() || c == '`' { '?' } else { c };
    text.take(COMMAND_CHARS).map(visible).collect()
}
