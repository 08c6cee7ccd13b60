//! Memory that a service holds by a name, a descriptor or a number: memfd, files on tmpfs, System V segments, hugetlb.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use steep_judge::units::Bytes;

/// What the service holds so, each page once, those that are mapped and those that are swapped out included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Held {
    /// Where the sum comes from that is counted. The kinds are always those of the objects that were found.
    pub source: HeldSource,
    /// In memfds, and in shared anonymous mappings whose size could be seen.
    #[serde(default)]
    pub memfd_bytes: Bytes,
    /// In files on tmpfs, deleted ones that are still open included.
    #[serde(default)]
    pub tmpfs_bytes: Bytes,
    /// In System V segments, those that nobody is attached to included.
    #[serde(default)]
    pub sysv_bytes: Bytes,
    /// In files and memfds of huge pages.
    #[serde(default)]
    pub hugetlb_bytes: Bytes,
    /// Appeared on tmpfs, or as System V segments, since the service started, under its user, while other programs of
    /// that user ran as well: the service's or theirs. Not counted.
    #[serde(default)]
    pub unascribed_bytes: Bytes,
    /// Memory of the kernel on behalf of the service: sockets, slab, page tables, stacks. Not counted; none where no
    /// cgroup tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_bytes: Option<Bytes>,
}

/// Where the sum of what is held comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeldSource {
    /// What was found by descriptors, mappings, names and numbers.
    #[default]
    Objects,
    /// The kernel's own count, of a cgroup that holds the service and nothing else.
    Cgroup,
}
