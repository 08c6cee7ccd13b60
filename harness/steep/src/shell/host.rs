//! What the header of a trace says of the host: what memory and latency depend on. Its name is left out, traces are
//! shared.

use std::fs;

use serde::{Deserialize, Serialize};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use steep_judge::units::Bytes;

/// The host that a soak ran on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Operating system with its version; none where it does not say.
    pub os: Option<String>,
    /// Version of the kernel.
    pub kernel: Option<String>,
    /// Architecture that steep was built for.
    pub architecture: String,
    /// Model of the first CPU.
    pub cpu_model: Option<String>,
    /// CPUs that the system shows.
    pub cpus: usize,
    /// Physical memory.
    pub memory_bytes: Bytes,
    /// Size of a page.
    pub page_size_bytes: Bytes,
    /// `always`, `madvise` or `never`: whether transparent huge pages are given; none where there are none.
    pub transparent_huge_pages: Option<String>,
}

impl HostFacts {
    /// Asks the system.
    #[must_use]
    pub fn read() -> Self {
        let wanted = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(wanted).ok();
        let cpus = system.as_ref().map_or(&[][..], System::cpus);
        Self {
            os: System::long_os_version().ok(),
            kernel: System::kernel_version().ok(),
            architecture: std::env::consts::ARCH.to_owned(),
            cpu_model: cpus.first().map(|cpu| cpu.brand().trim().to_owned()).filter(|model| !model.is_empty()),
            cpus: cpus.len(),
            memory_bytes: Bytes::new(system.as_ref().map_or(0, System::total_memory)),
            page_size_bytes: Bytes::new(rustix::param::page_size() as u64),
            transparent_huge_pages: fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled")
                .ok()
                .and_then(|text| chosen(&text)),
        }
    }
}

/// The word in brackets of a line such as `always [madvise] never`.
fn chosen(text: &str) -> Option<String> {
    let (_, after) = text.split_once('[')?;
    Some(after.split_once(']')?.0.to_owned())
}

/// The CPUs that this process may use; none where the system does not say.
#[must_use]
pub fn usable_cpus() -> Option<Vec<usize>> {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CpuSet, sched_getaffinity};
        let set = sched_getaffinity(None).ok()?;
        Some((0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect())
    }
    #[cfg(not(target_os = "linux"))]
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_of_huge_pages_is_the_word_in_brackets() {
        assert_eq!(chosen("always [madvise] never\n").as_deref(), Some("madvise"));
        assert_eq!(chosen("always madvise never"), None);
    }

    #[test]
    fn the_host_has_cpus_memory_and_pages() {
        let host = HostFacts::read();
        assert!(host.cpus > 0, "{host:?}");
        assert!(host.memory_bytes > Bytes::mib(1), "{host:?}");
        assert!(host.page_size_bytes >= Bytes::kib(4), "{host:?}");
    }
}
