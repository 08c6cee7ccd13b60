//! Turns the texts of `/proc` and of cgroup files into numbers. Pure: takes `&str`, opens nothing.
//!
//! The formats are those of proc(5) and of the kernel's `Documentation/filesystems/proc.rst`.

pub mod cpu;
pub mod kernel_log;
pub mod shared;
pub mod sockets;

use std::collections::BTreeSet;

use steep_core::trace::{Memory, Rollup};
use steep_judge::units::Bytes;

/// What is used of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Number of the process.
    pub pid: u32,
    /// Number of its parent.
    pub parent: u32,
    /// Number of its session.
    pub session: u32,
    /// Whether it has ended: a zombie, or on the way out.
    pub ended: bool,
    /// Faults that needed no disk.
    pub minor_faults: u64,
    /// Faults that did.
    pub major_faults: u64,
    /// CPU time of user and system, in clock ticks.
    pub cpu_ticks: u64,
    /// Start, in clock ticks since boot.
    pub start_ticks: u64,
}

/// Reads `/proc/PID/stat`: `17 (a name) S 1 …`. The name may hold blanks and parentheses, so the fields are counted
/// from the last `)`.
#[must_use]
pub fn stat(text: &str) -> Option<Stat> {
    let pid = text.split_once(' ')?.0.parse().ok()?;
    let (_, after_name) = text.rsplit_once(") ")?;
    let mut fields = after_name.split_ascii_whitespace();
    // proc(5) numbers the fields from 1; `state` is the third. `nth` counts on from where the call before it stopped.
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    let minor_faults = fields.nth(3)?.parse().ok()?;
    let major_faults = fields.nth(1)?.parse().ok()?;
    let user_ticks: u64 = fields.nth(1)?.parse().ok()?;
    let system_ticks: u64 = fields.next()?.parse().ok()?;
    let start_ticks = fields.nth(6)?.parse().ok()?;
    Some(Stat {
        pid,
        parent,
        session,
        ended: matches!(state, "Z" | "X" | "x"),
        minor_faults,
        major_faults,
        cpu_ticks: user_ticks + system_ticks,
        start_ticks,
    })
}

/// The name of a process in `/proc/PID/stat`, which the kernel cuts at 15 bytes.
#[must_use]
pub fn name(text: &str) -> &str {
    let inside = text.find('(').zip(text.rfind(')')).and_then(|(open, close)| text.get(open + 1..close));
    inside.unwrap_or_default()
}

/// Reads `/proc/PID/maps`: the files that are mapped, each once, also those that were deleted since.
#[must_use]
pub fn mapped_files(text: &str) -> BTreeSet<&str> {
    // `7f0c…-7f0c… r-xp 00026000 08:01 1835 /usr/lib/libc.so.6`: nothing before the path has a slash.
    let path = |line: &'_ str| line.find('/').map(|at| at..line.len());
    text.lines().filter_map(|line| Some(line[path(line)?].trim_end_matches(" (deleted)"))).collect()
}

/// What is used of `/proc/PID/status`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Status {
    /// Number of the process that this thread belongs to.
    pub process: u32,
    /// Number of its parent.
    pub parent: u32,
    /// Resident memory, by kind. All zero for a process that has ended.
    pub memory: Memory,
    /// Threads.
    pub threads: u64,
}

/// Reads `/proc/PID/status`. Fields that a kernel does not have stay zero.
#[must_use]
pub fn status(text: &str) -> Status {
    let mut status = Status::default();
    for (name, value) in lines(text) {
        match name {
            "Tgid" => status.process = value.parse().unwrap_or(0),
            "PPid" => status.parent = value.parse().unwrap_or(0),
            "VmHWM" => status.memory.peak_bytes = kilobytes(value),
            "RssAnon" => status.memory.anon_bytes = kilobytes(value),
            "RssFile" => status.memory.file_bytes = kilobytes(value),
            "RssShmem" => status.memory.shmem_bytes = kilobytes(value),
            "VmSwap" => status.memory.swap_bytes = kilobytes(value),
            "HugetlbPages" => status.memory.hugetlb_bytes = kilobytes(value),
            "Threads" => {
                status.threads = value.parse().unwrap_or(0);
                // Everything used stands before it, and what follows is long on hosts with many CPUs.
                break;
            }
            _ => {}
        }
    }
    status
}

/// The signals that a process ignores, from `/proc/PID/status`: bit 0 is signal 1.
#[must_use]
pub fn ignored_signals(status: &str) -> u64 {
    let mask = lines(status).find(|(name, _)| *name == "SigIgn").map(|(_, mask)| mask);
    mask.and_then(|mask| u64::from_str_radix(mask, 16).ok()).unwrap_or(0)
}

/// `/proc/PID/smaps_rollup` of one process: what goes into the trace, and the shares that say which pages are counted
/// twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SmapsRollup {
    /// What goes into the trace.
    pub rollup: Rollup,
    /// Proportional share of resident pages and of swap, by kind; no peak. Of hugetlb the pages of this process alone.
    pub share: Memory,
    /// Pages of hugetlb that others have mapped as well: the kernel tells no proportional share of them.
    pub hugetlb_shared_bytes: Bytes,
}

/// Reads `/proc/PID/smaps_rollup`; none where there is no line of PSS, as of a process that has ended.
#[must_use]
pub fn smaps_rollup(text: &str) -> Option<SmapsRollup> {
    let mut found = SmapsRollup::default();
    let mut has_pss = false;
    // The first line is an address range; it has no colon followed by a number of kB, and matches no name.
    for (name, value) in lines(text) {
        let bytes = kilobytes(value);
        match name {
            "Pss" => {
                found.rollup.pss_bytes = bytes;
                has_pss = true;
            }
            "Pss_Anon" => {
                found.rollup.pss_anon_bytes = bytes;
                found.share.anon_bytes = bytes;
            }
            "Pss_File" => found.share.file_bytes = bytes,
            "Pss_Shmem" => found.share.shmem_bytes = bytes,
            "SwapPss" => found.share.swap_bytes = bytes,
            "Private_Hugetlb" => found.share.hugetlb_bytes = bytes,
            "Shared_Hugetlb" => found.hugetlb_shared_bytes = bytes,
            "Private_Clean" => found.rollup.private_clean_bytes = bytes,
            "Private_Dirty" => found.rollup.private_dirty_bytes = bytes,
            "LazyFree" => found.rollup.lazy_free_bytes = bytes,
            "AnonHugePages" => found.rollup.anon_huge_pages_bytes = bytes,
            _ => {}
        }
    }
    has_pss.then_some(found)
}

/// The process number that was given out last, from `/proc/loadavg`: its fifth field.
#[must_use]
pub fn last_pid(loadavg: &str) -> Option<u32> {
    loadavg.split_ascii_whitespace().nth(4)?.parse().ok()
}

/// The number after `name` in a text of lines `name number`, such as `/proc/vmstat`, `memory.events`,
/// `memory.oom_control`.
#[must_use]
pub fn counter(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// The paths of a process in `/proc/PID/cgroup`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cgroups {
    /// Below the version 1 hierarchy of the memory controller.
    pub memory_v1: Option<String>,
    /// Below that of the CPU controller.
    pub cpu_v1: Option<String>,
    /// Below the version 2 hierarchy.
    pub unified: Option<String>,
}

/// Reads `/proc/PID/cgroup`: lines `number:controllers:path`.
#[must_use]
pub fn cgroups(text: &str) -> Cgroups {
    let mut found = Cgroups::default();
    for line in text.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(number), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        if number == "0" && controllers.is_empty() {
            found.unified = Some(path.to_owned());
        }
        let has = |wanted: &str| controllers.split(',').any(|controller| controller == wanted);
        if has("memory") {
            found.memory_v1 = Some(path.to_owned());
        }
        if has("cpu") {
            found.cpu_v1 = Some(path.to_owned());
        }
    }
    found
}

fn lines(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim()))
}

/// The kernel writes `kB` and means 1024 bytes.
fn kilobytes(value: &str) -> Bytes {
    Bytes::kib(value.strip_suffix(" kB").and_then(|number| number.trim().parse().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_files_are_listed_once_and_what_is_not_a_file_is_not() {
        let text = "7f01-7f02 r-xp 0 08:01 7 /usr/lib/a b.so\n7f02-7f03 rw-p 0 08:01 7 /usr/lib/a b.so\n7f04-7f05 rw-p 0 00:00 0\n\
                    7f06-7f07 rw-p 0 00:00 0 [heap]\n7f08-7f09 r--p 0 08:01 9 /opt/shop (deleted)\n";
        assert_eq!(mapped_files(text), BTreeSet::from(["/opt/shop", "/usr/lib/a b.so"]));
    }

    const STAT: &str = "13583 (cat) R 13580 13580 7596 0 -1 4194304 101 7 3 0 12 30 5 6 20 0 1 0 140377 3133440 393 \
                        18446744073709551615 94012521500672 94012521520553 140732780393744 0 0 0 0 0 0 0 0 0 17 0 0 0";

    #[test]
    fn stat_counts_its_own_faults_and_time_and_not_those_of_its_children() {
        let expected = Stat {
            pid: 13583,
            parent: 13580,
            session: 7596,
            ended: false,
            minor_faults: 101,
            major_faults: 3,
            cpu_ticks: 42,
            start_ticks: 140_377,
        };
        assert_eq!(stat(STAT), Some(expected));
    }

    #[test]
    fn a_name_with_blanks_and_parentheses_hides_no_field() {
        for name in ["a b", ")", "(", ") R 1 1 (", "nginx: worker (2) ", "", "Web Content) Z 0"] {
            let text = STAT.replacen("(cat)", &format!("({name})"), 1);
            assert_eq!(stat(&text), stat(STAT), "{name}");
            assert_eq!(super::name(&text), name);
        }
    }

    #[test]
    fn an_ended_process_is_reported_and_a_cut_text_is_none() {
        assert!(stat(&STAT.replacen(" R ", " Z ", 1)).is_some_and(|stat| stat.ended));
        assert_eq!(stat(&STAT[..60]), None);
        assert_eq!(stat(""), None);
    }

    #[test]
    fn status_is_read_by_kind() {
        let text = "Name:\tcat: a\nUmask:\t0022\nState:\tR (running)\nTgid:\t10057\nNgid:\t0\nPid:\t10057\nPPid:\t10043\n\
                    VmHWM:\t    1724 kB\nVmRSS:\t    1724 kB\nRssAnon:\t     112 kB\nRssFile:\t    1612 kB\n\
                    RssShmem:\t       4 kB\nVmSwap:\t       8 kB\nHugetlbPages:\t    2048 kB\nThreads:\t3\nSigQ:\t0/96365\n";
        let memory = Memory {
            anon_bytes: Bytes::kib(112),
            file_bytes: Bytes::kib(1612),
            shmem_bytes: Bytes::kib(4),
            swap_bytes: Bytes::kib(8),
            hugetlb_bytes: Bytes::kib(2048),
            peak_bytes: Bytes::kib(1724),
            ..Memory::default()
        };
        assert_eq!(status(text), Status { process: 10057, parent: 10043, memory, threads: 3 });
    }

    #[test]
    fn status_of_an_ended_process_has_no_memory() {
        let zombie = status("Name:\tsh\nState:\tZ (zombie)\nTgid:\t5\nPid:\t5\nPPid:\t4\nThreads:\t1\n");
        assert_eq!(zombie, Status { process: 5, parent: 4, memory: Memory::default(), threads: 1 });
    }

    #[test]
    fn ignored_signals_are_bits() {
        assert_eq!(ignored_signals("Name:\tsh\nSigBlk:\t0000000000000001\nSigIgn:\t0000000001001001\n"), 0x0100_1001);
        assert_eq!(ignored_signals("Name:\tsh\n"), 0);
    }

    #[test]
    fn a_rollup_is_read_with_its_shares() {
        let text = "55d0c8a00000-7ffd6a3f0000 ---p 00000000 00:00 0                          [rollup]\n\
                    Rss:                3052 kB\nPss:                 757 kB\nPss_Dirty:           168 kB\n\
                    Pss_Anon:            128 kB\nPss_File:            629 kB\nPss_Shmem:             4 kB\n\
                    Shared_Clean:       2520 kB\nShared_Dirty:          0 kB\nPrivate_Clean:       364 kB\n\
                    Private_Dirty:       168 kB\nReferenced:         3052 kB\nAnonymous:           168 kB\nKSM: 0 kB\n\
                    LazyFree:             12 kB\nAnonHugePages:      2048 kB\nShared_Hugetlb:      4096 kB\nPrivate_Hugetlb:     2048 kB\nSwap:  0 kB\nSwapPss:  16 kB\nLocked: 0 kB\n";
        let found = smaps_rollup(text).expect("a rollup");
        assert_eq!(found.rollup.pss_bytes, Bytes::kib(757));
        assert_eq!(found.rollup.private_dirty_bytes, Bytes::kib(168));
        assert_eq!(found.rollup.private_clean_bytes, Bytes::kib(364));
        assert_eq!(found.rollup.lazy_free_bytes, Bytes::kib(12));
        assert_eq!(found.rollup.anon_huge_pages_bytes, Bytes::kib(2048));
        assert_eq!(found.share.anon_bytes, Bytes::kib(128));
        assert_eq!(found.share.file_bytes, Bytes::kib(629));
        assert_eq!(found.share.shmem_bytes, Bytes::kib(4));
        assert_eq!(found.share.swap_bytes, Bytes::kib(16));
        assert_eq!((found.share.hugetlb_bytes, found.hugetlb_shared_bytes), (Bytes::kib(2048), Bytes::kib(4096)));
        assert_eq!(smaps_rollup(""), None);
    }

    #[test]
    fn counters_are_found_by_their_whole_name() {
        assert_eq!(counter("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", "oom_kill"), Some(2));
        assert_eq!(counter("low 0\noom 3\noom_kill 1\noom_group_kill 0\n", "oom_kill"), Some(1));
        assert_eq!(counter("nr_free_pages 1\n", "oom_kill"), None);
        assert_eq!(last_pid("0.03 0.13 0.12 1/86 13559\n"), Some(13559));
    }

    #[test]
    fn cgroups_of_both_versions_are_told_apart() {
        let both = "9:name=systemd:/\n4:cpu,memory:/jobs/a:b\n0::/user.slice\n";
        let job = Some("/jobs/a:b".to_owned());
        let expected = Cgroups { memory_v1: job.clone(), cpu_v1: job, unified: Some("/user.slice".to_owned()) };
        assert_eq!(cgroups(both), expected);
    }
}
