//! What `/proc` tells of memory that has a name, a descriptor or a number: mounts of tmpfs, System V segments, mappings
//! by inode. Pure.

use std::path::PathBuf;

use super::{counter, kilobytes};
use steep_judge::units::Bytes;

/// Whose pages are memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Filesystem {
    /// tmpfs and ramfs.
    Tmpfs,
    /// hugetlbfs.
    Hugetlb,
}

/// A mount of a file system that lives in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Which.
    pub filesystem: Filesystem,
    /// Major and minor number of its device.
    pub device: (u32, u32),
    /// Where it is.
    pub folder: PathBuf,
    /// Whether files in it can be written.
    pub writable: bool,
}

/// Reads `/proc/PID/mountinfo`: `30 25 0:27 / /dev/shm rw,relatime shared:4 - tmpfs tmpfs rw,size=64k`. Mounts of other
/// file systems are left out.
#[must_use]
pub fn mounts_in_memory(text: &str) -> Vec<Mount> {
    text.lines().filter_map(mount).collect()
}

fn mount(line: &str) -> Option<Mount> {
    // Optional fields stand before the dash, and a folder has no blank in it: the kernel writes `\040`.
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ');
    let (major, minor) = before.nth(2)?.split_once(':')?;
    let folder = unescaped(before.nth(1)?);
    let options = before.next()?;
    let mut after = after.split(' ');
    let filesystem = match after.next()? {
        "tmpfs" | "ramfs" => Filesystem::Tmpfs,
        "hugetlbfs" => Filesystem::Hugetlb,
        _ => return None,
    };
    let is_writable = |options: &str| options.split(',').any(|option| option == "rw");
    Some(Mount {
        filesystem,
        device: (major.parse().ok()?, minor.parse().ok()?),
        folder: PathBuf::from(folder),
        writable: is_writable(options) && after.nth(1).is_none_or(is_writable),
    })
}

/// Blanks, tabs, line ends and backslashes are three octal digits after a backslash.
fn unescaped(text: &str) -> String {
    ["\\040", "\\011", "\\012", "\\134"]
        .iter()
        .zip([" ", "\t", "\n", "\\"])
        .fold(text.to_owned(), |text, (escape, plain)| text.replace(escape, plain))
}

/// A System V segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Its number, also its inode in `/proc/PID/smaps`.
    pub id: u64,
    /// Who made it.
    pub creator: u32,
    /// The user who made it.
    pub user: u32,
    /// How many are attached.
    pub attached: u64,
    /// When it was made or its permissions changed, in seconds since 1970.
    pub changed_unix_s: u64,
    /// Pages that are resident or swapped out.
    pub bytes: Bytes,
}

/// Reads `/proc/sysvipc/shm`, whose columns are named in its first line.
#[must_use]
pub fn segments(text: &str) -> Vec<Segment> {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split_ascii_whitespace().collect();
    let place = |name| names.iter().position(|&each| each == name);
    let segment = |line: &str| {
        let values: Vec<&str> = line.split_ascii_whitespace().collect();
        let number = |name| values.get(place(name)?)?.parse::<u64>().ok();
        Some(Segment {
            id: number("shmid")?,
            creator: u32::try_from(number("cpid")?).ok()?,
            user: u32::try_from(number("cuid")?).ok()?,
            attached: number("nattch")?,
            changed_unix_s: number("ctime")?,
            // Reported since Linux 2.6.37; before that the size is the most that it can be.
            bytes: Bytes::new(
                number("rss").zip(number("swap")).map_or(number("size"), |(rss, swap)| Some(rss + swap))?,
            ),
        })
    };
    lines.filter_map(segment).collect()
}

/// One mapping of a file, by `/proc/PID/smaps`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// Its addresses, as they stand in `/proc/PID/map_files` too.
    pub addresses: String,
    /// Major and minor number of the file's device.
    pub device: (u32, u32),
    /// The inode; of a System V segment its number.
    pub inode: u64,
    /// What the kernel calls it.
    pub path: String,
    /// Proportional share of its resident pages.
    pub pss_bytes: Bytes,
    /// Pages of hugetlb.
    pub hugetlb_bytes: Bytes,
}

impl Mapping {
    /// Whether it is a System V segment.
    #[must_use]
    pub fn is_segment(&self) -> bool {
        self.path.starts_with("/SYSV")
    }
}

/// Reads `/proc/PID/smaps`: the mappings of files, in their order.
#[must_use]
pub fn mappings(text: &str) -> Vec<Mapping> {
    let mut found: Vec<Mapping> = Vec::new();
    let mut is_of_file = false;
    for line in text.lines() {
        if let Some(head) = mapping(line) {
            is_of_file = !head.path.is_empty() && head.path.starts_with('/');
            if is_of_file {
                found.push(head);
            }
        } else if let (true, Some(last), Some((name, value))) = (is_of_file, found.last_mut(), line.split_once(':')) {
            match name {
                "Pss" => last.pss_bytes = kilobytes(value.trim()),
                "Shared_Hugetlb" | "Private_Hugetlb" => {
                    last.hugetlb_bytes = last.hugetlb_bytes + kilobytes(value.trim());
                }
                _ => {}
            }
        }
    }
    found
}

/// `7f7cf2d7c000-7f7cf317c000 rw-s 00000000 00:01 1025    /memfd:spool (deleted)`; none for `Rss:   4 kB`.
fn mapping(line: &str) -> Option<Mapping> {
    let mut fields = line.split_ascii_whitespace();
    let addresses = fields.next().filter(|first| first.contains('-') && !first.ends_with(':'))?;
    let (major, minor) = fields.nth(2)?.split_once(':')?;
    let device = (u32::from_str_radix(major, 16).ok()?, u32::from_str_radix(minor, 16).ok()?);
    let inode = fields.next()?.parse().ok()?;
    let path = line.find('/').map_or("", |at| &line[at..]).to_owned();
    Some(Mapping {
        addresses: addresses.to_owned(),
        device,
        inode,
        path,
        pss_bytes: Bytes::ZERO,
        hugetlb_bytes: Bytes::ZERO,
    })
}

/// What a cgroup's `memory.stat` tells of shared memory and of the kernel's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CgroupMemory {
    /// Pages of tmpfs, memfd and segments that were first touched in it, the cgroups below included.
    pub shmem_bytes: Bytes,
    /// All that is swapped out; version 1 only, version 2 has a file of its own for it.
    pub swap_bytes: Option<Bytes>,
    /// Sockets, slab, page tables and stacks; version 2 only, version 1 has a file of its own for it.
    pub kernel_bytes: Option<Bytes>,
}

/// Reads `memory.stat` of version 1 or 2; none where it does not count shared memory (version 1 before Linux 4.10).
#[must_use]
pub fn cgroup_memory(text: &str) -> Option<CgroupMemory> {
    let bytes = |name| counter(text, name).map(Bytes::new);
    if let Some(shmem_bytes) = bytes("total_shmem") {
        return Some(CgroupMemory { shmem_bytes, swap_bytes: bytes("total_swap"), kernel_bytes: None });
    }
    let sockets = bytes("sock").unwrap_or_default();
    // One sum since Linux 5.18, which does not hold the sockets.
    let parts = || ["kernel_stack", "pagetables", "percpu", "slab"].into_iter().filter_map(bytes).sum();
    let kernel = bytes("kernel").unwrap_or_else(parts);
    Some(CgroupMemory { shmem_bytes: bytes("shmem")?, swap_bytes: None, kernel_bytes: Some(kernel + sockets) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_of_memory_are_found_with_optional_fields_and_blanks() {
        let text = "24 27 0:6 / /dev rw,relatime - devtmpfs devtmpfs rw,size=4k\n\
                    30 25 0:27 / /dev/shm rw,relatime shared:4 master:1 - tmpfs shm rw,size=64k\n\
                    31 25 0:28 / /mnt/a\\040b ro,relatime - tmpfs tmpfs rw\n\
                    32 25 0:29 / /mnt/huge rw - hugetlbfs none rw,pagesize=2M\n\
                    33 25 0:30 / /ro rw - tmpfs tmpfs ro,size=4k\n1 2 broken\n";
        let found = mounts_in_memory(text);
        let described: Vec<_> = found
            .iter()
            .map(|mount| (mount.device.1, mount.folder.to_str().expect("UTF-8"), mount.filesystem, mount.writable))
            .collect();
        let expected = [
            (27, "/dev/shm", Filesystem::Tmpfs, true),
            (28, "/mnt/a b", Filesystem::Tmpfs, false),
            (29, "/mnt/huge", Filesystem::Hugetlb, true),
            (30, "/ro", Filesystem::Tmpfs, false),
        ];
        assert_eq!(described, expected);
    }

    #[test]
    fn segments_are_read_by_the_names_of_their_columns() {
        let text = "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      \
                    dtime      ctime                   rss                  swap\n         0          7   600               \
                    1048576 21327 21328      1     0     0     33     0 1795907189          0 1795907190                \
                    524288                  4096\n  cut off 1\n";
        let expected = Segment {
            id: 7,
            creator: 21327,
            user: 33,
            attached: 1,
            changed_unix_s: 1_795_907_190,
            bytes: Bytes::new(528_384),
        };
        assert_eq!(segments(text), [expected]);
        let old = text.replace("rss", "r").replace("swap", "s");
        assert_eq!(segments(&old)[0].bytes, Bytes::mib(1));
        assert_eq!(segments(""), []);
    }

    #[test]
    fn mappings_of_files_are_read_with_their_inode_and_share() {
        let text = "7f7cf2b7c000-7f7cf2c7c000 rw-s 00000000 00:01 3                          /SYSV00000000 (deleted)\n\
                    Size:               1024 kB\nRss:                 512 kB\nPss:                 256 kB\nPss_Dirty: 1 kB\n\
                    7f7cf2d7c000-7f7cf317c000 rw-s 00000000 fe:0b 1025                       /memfd:a b: 1 (deleted)\n\
                    Pss:                 100 kB\nShared_Hugetlb:     2048 kB\nPrivate_Hugetlb:     2048 kB\n\
                    VmFlags: rd wr sh\n7ffd6a3f0000-7ffd6a3f1000 rw-p 00000000 00:00 0                          [stack]\n\
                    Pss:                   4 kB\n7ffd6a3f0000-7ffd6a3f1000 rw-p 00000000 00:00 0 \nPss:                   4 kB\n";
        let found = mappings(text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].is_segment() && found[0].inode == 3 && found[0].pss_bytes == Bytes::kib(256));
        assert_eq!(
            (found[1].device, found[1].inode, found[1].path.as_str()),
            ((254, 11), 1025, "/memfd:a b: 1 (deleted)")
        );
        assert_eq!(found[1].addresses, "7f7cf2d7c000-7f7cf317c000");
        assert_eq!((found[1].pss_bytes, found[1].hugetlb_bytes), (Bytes::kib(100), Bytes::kib(4096)));
    }

    #[test]
    fn both_versions_of_a_cgroup_tell_shared_memory() {
        let v1 = "cache 9\nshmem 1\nswap 0\ntotal_shmem 4096\ntotal_swap 8192\n";
        let expected = CgroupMemory { shmem_bytes: Bytes::kib(4), swap_bytes: Some(Bytes::kib(8)), kernel_bytes: None };
        assert_eq!(cgroup_memory(v1), Some(expected));
        let v2 = "anon 7\nfile 9\nkernel 100\nkernel_stack 1\npagetables 2\nsock 50\nshmem 4096\nslab 3\n";
        let expected =
            CgroupMemory { shmem_bytes: Bytes::kib(4), swap_bytes: None, kernel_bytes: Some(Bytes::new(150)) };
        assert_eq!(cgroup_memory(v2), Some(expected));
        let before_5_18 = v2.replace("kernel 100\n", "");
        assert_eq!(cgroup_memory(&before_5_18).and_then(|memory| memory.kernel_bytes), Some(Bytes::new(56)));
        assert_eq!(cgroup_memory("cache 9\nrss 1\n"), None);
    }
}
