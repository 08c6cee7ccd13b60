//! A cgroup for each process that steep supervises, below steep's own, where the host lets it: there the kernel counts
//! what processes do not show, such as tmpfs and memfd, and says whom it killed for lack of memory.
//!
//! The cgroup gets the limit of the one above, so that a service which looks for its limit finds the same one as
//! before. It is made, entered and removed by the supervisor, which itself stays outside; one that a killed supervisor
//! left is removed by the next.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::shell::procfs;
use crate::shell::procfs::cpu;

/// Goes before the number of the supervisor.
const PREFIX: &str = "steep-";

/// Name of the cgroup that supervisor `pid` makes.
#[must_use]
pub fn name_below(pid: u32) -> String {
    format!("{PREFIX}{pid}")
}

/// Whether a supervisor made the cgroup with this folder.
#[must_use]
pub fn is_of_a_supervisor(folder: &Path) -> bool {
    folder.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(PREFIX))
}

/// The folder of the memory controller for a process with this `/proc/PID/cgroup`, of version 1 or 2; none where it
/// counts no memory.
#[must_use]
pub fn memory_folder(text: &str) -> Option<PathBuf> {
    folders(text).into_iter().find(|folder| folder.join("memory.stat").exists())
}

/// At the places where the hierarchies are usually mounted. In a container they may show the container's own part only,
/// while the path is that of the host.
fn folders(text: &str) -> Vec<PathBuf> {
    let cgroups = procfs::cgroups(text);
    let below = |root: &str, path: &str| Path::new(root).join(path.trim_start_matches('/'));
    let v1 = cgroups.memory_v1.iter().map(|path| below("/sys/fs/cgroup/memory", path));
    let v2 = cgroups.unified.iter().map(|path| below("/sys/fs/cgroup", path));
    v1.chain(v2).collect()
}

/// The cgroup of one supervised process.
#[derive(Debug)]
pub struct Cgroup {
    folder: PathBuf,
    above: PathBuf,
}

impl Cgroup {
    /// Makes one for what this process, a supervisor, is about to start, and enters it.
    ///
    /// # Errors
    /// No memory controller, no permission, or one that counts the processes above apart.
    pub fn enter() -> io::Result<Self> {
        let text = fs::read_to_string("/proc/self/cgroup")?;
        let above = memory_folder(&text).ok_or(io::ErrorKind::NotFound)?;
        remove_left_over(&above);
        // Version 1 could count each cgroup apart until Linux 5.11: the limit above would not hold for it then.
        if fs::read_to_string(above.join("memory.use_hierarchy")).is_ok_and(|text| text.trim() == "0") {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let folder = above.join(name_below(std::process::id()));
        fs::create_dir(&folder)?;
        let cgroup = Self { folder, above };
        let entered = cgroup.copy_limit().and_then(|()| move_to(&cgroup.folder));
        match entered {
            Ok(()) => Ok(cgroup),
            Err(error) => {
                cgroup.remove();
                Err(error)
            }
        }
    }

    /// The same limit as above. Version 2 has no file for it where memory is not counted below, and so makes `enter`
    /// fail.
    fn copy_limit(&self) -> io::Result<()> {
        let version_1 = "memory.limit_in_bytes";
        let name = if self.folder.join(version_1).exists() { version_1 } else { "memory.max" };
        if !self.folder.join(name).exists() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        // The root of version 2 has no limit.
        let Ok(limit) = fs::read_to_string(self.above.join(name)) else { return Ok(()) };
        write(&self.folder.join(name), limit.trim())
    }

    /// Lets all who are in it have this many bytes together, with nothing swapped out beside.
    ///
    /// # Errors
    /// No permission, or less than is in use.
    pub fn limit(&self, bytes: u64) -> io::Result<()> {
        let text = bytes.to_string();
        let version_1 = self.folder.join("memory.limit_in_bytes");
        if version_1.exists() {
            write(&version_1, &text)?;
            // Memory and swap together; not there where swap is not counted.
            let _ = write(&self.folder.join("memory.memsw.limit_in_bytes"), &text);
            return Ok(());
        }
        write(&self.folder.join("memory.max"), &text)?;
        let _ = write(&self.folder.join("memory.swap.max"), "0");
        Ok(())
    }

    /// Takes this process out of it again; what it started stays in.
    pub fn leave(&self) {
        // Where it fails the supervisor is counted as well, which changes nothing but its removal.
        let _ = move_to(&self.above);
    }

    /// Removes it once all who were in it are gone. One that is not empty stays, and is removed by a later supervisor.
    pub fn remove(&self) {
        let _ = fs::remove_dir(&self.folder);
    }
}

fn move_to(folder: &Path) -> io::Result<()> {
    write(&folder.join("cgroup.procs"), &std::process::id().to_string())
}

/// In one write, as these files want it, and never making one.
fn write(file: &Path, text: &str) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(file)?.write_all(text.as_bytes())
}

/// Removes what killed supervisors of this steep left.
pub fn remove_left_over_here() {
    let above = fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| memory_folder(&text));
    if let Some(above) = above {
        remove_left_over(&above);
    }
}

/// Removes those of supervisors that are gone; of living ones they are not empty, or are about to be entered.
fn remove_left_over(above: &Path) {
    for entry in fs::read_dir(above).into_iter().flatten().filter_map(Result::ok) {
        let name = entry.file_name();
        let supervisor = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok());
        if supervisor.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Where the CPU controller is usually mounted, of version 1 and of version 2.
const CPU_CONTROLLERS: [&str; 4] =
    ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"];

/// The smallest quota of CPU that steep is under, and with it all that it starts.
#[derive(Debug)]
pub struct CpuQuota {
    folder: PathBuf,
    cpus: f64,
}

impl CpuQuota {
    /// That of steep's cgroup or of one above. In a container the path is that of the host while only the container's
    /// own part is mounted, so that the root is looked at as well.
    #[must_use]
    pub fn above() -> Option<Self> {
        let found = procfs::cgroups(&fs::read_to_string("/proc/self/cgroup").ok()?);
        let paths: Vec<String> = found.cpu_v1.into_iter().chain(found.unified).collect();
        let roots = CPU_CONTROLLERS.map(Path::new).into_iter();
        let folders = roots.flat_map(|root| {
            let below = paths.iter().flat_map(|path| Path::new(path.trim_start_matches('/')).ancestors());
            below.map(|path| root.join(path)).collect::<Vec<_>>()
        });
        folders.filter_map(Self::of).min_by(|one, other| one.cpus.total_cmp(&other.cpus))
    }

    fn of(folder: PathBuf) -> Option<Self> {
        let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
        let v1 = || cpu::quota_v1(&read("cpu.cfs_quota_us")?, &read("cpu.cfs_period_us")?);
        let cpus = read("cpu.max").and_then(|text| cpu::quota(&text)).or_else(v1)?;
        Some(Self { folder, cpus })
    }

    /// CPUs that it gives.
    #[must_use]
    pub fn cpus(&self) -> f64 {
        self.cpus
    }

    /// For how long it held up who wanted to run.
    #[must_use]
    pub fn throttled(&self) -> Option<Duration> {
        cpu::throttled(&fs::read_to_string(self.folder.join("cpu.stat")).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_read_from_either_version_and_none_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let of = || CpuQuota::of(folder.path().to_owned());
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
        assert!(of().is_none());
        write("cpu.cfs_quota_us", "50000\n");
        write("cpu.cfs_period_us", "100000\n");
        write("cpu.stat", "nr_throttled 2\nthrottled_time 1500000\n");
        let quota = of().expect("a quota");
        assert_eq!((quota.cpus(), quota.throttled()), (0.5, Some(Duration::from_micros(1500))));
        write("cpu.max", "max 100000\n");
        write("cpu.cfs_quota_us", "-1\n");
        assert!(of().is_none());
    }

    #[test]
    fn the_memory_controller_is_looked_for_in_both_versions() {
        let found = folders("9:name=systemd:/\n4:cpu,memory:/jobs/a\n0::/user.slice\n");
        assert_eq!(found, [Path::new("/sys/fs/cgroup/memory/jobs/a"), Path::new("/sys/fs/cgroup/user.slice")]);
        assert_eq!(memory_folder("0::/no/such/cgroup\n"), None);
    }
}
