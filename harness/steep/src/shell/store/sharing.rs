//! Binaries of runs are kept once for each hash: equal ones of several runs are hard links to one file. Each run's
//! folder is whole, as it was: what is removed of one run is there for the others.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::BUILDS;
use crate::shell::build::sha256_of;

/// Smaller files are not worth a link.
const LEAST: u64 = 64 << 10;
/// Builds of a run that are looked at, and files of a build.
const MOST_ENTRIES: usize = 4096;

/// Binaries of runs.
#[derive(Debug, Default)]
pub struct Binaries {
    /// By size, as long as none other has it: most are told apart by that, and are not read.
    by_size: BTreeMap<u64, Vec<PathBuf>>,
    hashes: BTreeMap<PathBuf, String>,
}

impl Binaries {
    /// Makes the binaries of `run` links to equal ones of the runs that were added before, and says how many bytes that
    /// saves. What cannot be linked (another disk, no permission) stays as it is.
    pub fn add(&mut self, run: &Path) -> u64 {
        let mut saved = 0;
        for file in binaries(run) {
            let Ok(there) = fs::symlink_metadata(&file) else { continue };
            let known = self.by_size.get(&there.len()).cloned().unwrap_or_default();
            match known.iter().find(|known| self.is_equal(known, &file)) {
                Some(known) => saved += linked(known, &file).unwrap_or_default(),
                None => self.by_size.entry(there.len()).or_default().push(file),
            }
        }
        saved
    }

    /// Notes the binaries of `run` as they are.
    pub fn note(&mut self, run: &Path) {
        for file in binaries(run) {
            if let Ok(there) = fs::symlink_metadata(&file) {
                self.by_size.entry(there.len()).or_default().push(file);
            }
        }
    }

    fn is_equal(&mut self, one: &Path, other: &Path) -> bool {
        let mut hash = |path: &Path| {
            if let Some(known) = self.hashes.get(path) {
                return Some(known.clone());
            }
            let hash = sha256_of(path).ok()?;
            self.hashes.insert(path.to_owned(), hash.clone());
            Some(hash)
        };
        hash(one).is_some_and(|one| hash(other) == Some(one))
    }
}

/// Puts a link to `known` in the place of `file`, and says how many bytes that saves: none if it is one already.
fn linked(known: &Path, file: &Path) -> Option<u64> {
    let (one, other) = (fs::symlink_metadata(known).ok()?, fs::symlink_metadata(file).ok()?);
    let is_linked = (one.dev(), one.ino()) == (other.dev(), other.ino());
    if is_linked || one.permissions() != other.permissions() || one.uid() != other.uid() {
        return None;
    }
    let mut temporary = file.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let linked = fs::hard_link(known, &temporary).and_then(|()| fs::rename(&temporary, file));
    if linked.is_err() {
        let _ = fs::remove_file(&temporary);
        return None;
    }
    (other.nlink() == 1).then_some(other.len())
}

/// The programs that `run` built, each a regular file of its own folder. Links are not followed.
fn binaries(run: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let is_folder = fs::symlink_metadata(folder).is_ok_and(|there| there.is_dir());
        let entries = is_folder.then(|| fs::read_dir(folder).ok()).flatten().into_iter().flatten();
        let mut paths: Vec<PathBuf> = entries.take(MOST_ENTRIES).filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        paths
    };
    let is_program = |path: &PathBuf| {
        fs::symlink_metadata(path)
            .is_ok_and(|there| there.is_file() && there.len() >= LEAST && there.permissions().mode() & 0o111 != 0)
    };
    entries(&run.join(BUILDS)).iter().flat_map(|build| entries(build)).filter(is_program).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(place: &Path, run: &str, content: u8) -> PathBuf {
        let folder = place.join(run).join(BUILDS).join("0");
        fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("shop");
        fs::write(&file, vec![content; 100_000]).expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a mode");
        file
    }

    #[test]
    fn equal_binaries_are_one_file_and_others_are_left_alone() {
        let place = tempfile::tempdir().expect("a place");
        let files = [("one", 1), ("two", 1), ("three", 2)].map(|(run, content)| built(place.path(), run, content));
        let link = place.path().join("four").join(BUILDS);
        fs::create_dir_all(place.path().join("four")).expect("a folder");
        std::os::unix::fs::symlink(place.path().join("one").join(BUILDS), link).expect("a link");
        let mut binaries = Binaries::default();
        let saved = ["one", "two", "three", "four"].map(|run| binaries.add(&place.path().join(run)));
        assert_eq!(saved, [0, 100_000, 0, 0]);
        let inodes = files.each_ref().map(|file| fs::metadata(file).expect("a file").ino());
        assert!(inodes[0] == inodes[1] && inodes[0] != inodes[2]);
        assert_eq!(Binaries::default().add(&place.path().join("two")), 0);
        fs::remove_dir_all(place.path().join("one")).expect("a folder");
        assert_eq!(fs::read(&files[1]).expect("a file"), vec![1; 100_000]);
    }
}
