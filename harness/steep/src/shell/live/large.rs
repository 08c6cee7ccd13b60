//! What is resident of the blocks for which glibc has made mappings of their own, and of what another allocator mapped.
//!
//! Two of them that lie side by side are one mapping for the kernel, and so are one of them and what the program maps
//! itself. So it is asked of the pages (`/proc/PID/pagemap`), eight bytes for each.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use steep_live::Mapping;

use steep_core::trace::LargeBlock;
use steep_judge::units::Bytes;

/// Blocks of a service that are kept in its trace. Where it has more nothing is known of them.
const MOST: usize = 48;

/// Bytes of all blocks of a process whose pages are asked for: 8 MiB are read for them.
const MOST_BYTES: u64 = 4 << 30;

/// A page is there, and it is anonymous memory of this process alone (Documentation/admin-guide/mm/pagemap.rst, bits 63
/// and 56). The page of zeros is none of it, nor is it anonymous memory for `smaps`.
const OWN: u64 = 1 << 63 | 1 << 56;

/// What is resident of the blocks of `pid`; none where that cannot be asked, or they are too large.
#[must_use]
pub fn resident(pid: u32, blocks: &[steep_live::LargeBlock]) -> Option<Vec<LargeBlock>> {
    let is_too_much = blocks.iter().map(|block| block.bytes).fold(0, u64::saturating_add) > MOST_BYTES;
    if is_too_much || blocks.len() > MOST {
        return None;
    }
    let pages = Pages::of(pid)?;
    let of = |block: &steep_live::LargeBlock| {
        let resident_bytes = pages.resident(block.address, block.address.checked_add(block.bytes)?)?;
        Some(LargeBlock { pid, address: block.address, bytes: Bytes::new(block.bytes), resident_bytes })
    };
    blocks.iter().map(of).collect()
}

/// What is resident in the `mappings` of an allocator; none where that cannot be asked, or they are too large.
#[must_use]
pub fn of_allocator(pid: u32, mappings: &[Mapping]) -> Option<Bytes> {
    let length = |mapping: &Mapping| mapping.end - mapping.start;
    if mappings.iter().map(length).fold(0, u64::saturating_add) > MOST_BYTES {
        return None;
    }
    let pages = Pages::of(pid)?;
    mappings.iter().map(|mapping| pages.resident(mapping.start, mapping.end)).sum()
}

/// The pages of a process.
struct Pages {
    map: File,
    size: u64,
}

impl Pages {
    fn of(pid: u32) -> Option<Self> {
        let map = File::open(format!("/proc/{pid}/pagemap")).ok()?;
        Some(Self { map, size: rustix::param::page_size() as u64 })
    }

    /// What is resident between two addresses.
    fn resident(&self, from: u64, to: u64) -> Option<Bytes> {
        let (from, to) = (from / self.size, to.div_ceil(self.size));
        let mut words = vec![0_u8; usize::try_from(to - from).ok()? * 8];
        self.map.read_exact_at(&mut words, from * 8).ok()?;
        let words = words.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
        Some(Bytes::new(words.filter(|word| word & OWN == OWN).count() as u64 * self.size))
    }
}

/// Those of all processes; none where those of one are not known, or they are too many.
#[must_use]
pub fn of_all(processes: impl Iterator<Item = Option<Vec<LargeBlock>>>) -> Option<Vec<LargeBlock>> {
    let all: Option<Vec<Vec<LargeBlock>>> = processes.collect();
    all.map(|all| all.concat()).filter(|all| all.len() <= MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_were_written_are_resident_and_others_are_not() {
        let pid = std::process::id();
        let mut block = vec![0_u8; 4 << 20];
        // Zeros that nobody wrote are not there.
        block[..1 << 20].fill(7);
        let of = [steep_live::LargeBlock { address: block.as_ptr() as u64, bytes: block.len() as u64 }];
        let Some(found) = resident(pid, &of) else { panic!("its own pages") };
        let resident_bytes = found[0].resident_bytes.get();
        // Huge pages, where this machine has them, are there as a whole.
        assert!((1 << 20..=4 << 20).contains(&resident_bytes), "{found:?}");
        assert!(found[0].is(&LargeBlock { resident_bytes: Bytes::ZERO, ..found[0] }));
        let start = block.as_ptr() as u64;
        let mapping = Mapping { start, end: start + (1 << 20) };
        assert!(of_allocator(pid, &[mapping]).is_some_and(|found| found.get() >= 1 << 20));
        assert_eq!(of_allocator(pid, &[Mapping { start: 0, end: 1 << 60 }]), None);
        assert_eq!(resident(0, &of), None);
        let endless = [steep_live::LargeBlock { address: 16, bytes: u64::MAX }];
        assert_eq!(resident(pid, &endless), None);
        assert_eq!(of_all([Some(found.clone()), None].into_iter()), None, "of one process nothing is known");
        assert_eq!(of_all([Some(found.clone()), Some(Vec::new())].into_iter()), Some(found.clone()));
        assert_eq!(of_all((0..=MOST).map(|_| Some(found.clone()))), None);
        drop(block);
    }
}
