//! Where the debug information of a program lies that was stripped: in a file of its own, which distributions install
//! and `objcopy --only-keep-debug` makes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use flate2::Crc;
use object::{Object as _, ObjectSection as _};

use super::LARGEST;
use crate::shell::files;
use steep_judge::ids::hex;

/// Where distributions install them (gdb, "Debugging Information in Separate Files").
const ROOT: &str = "/usr/lib/debug";

/// The debug file of `program`, and what is shared between it and others, where it has that; none where the program has
/// its debug information itself, or no file fits.
pub(super) fn debug_file(program: &Path, parsed: &object::File<'_>) -> Option<(PathBuf, Option<PathBuf>)> {
    let has_own = parsed.section_by_name(".debug_info").is_some_and(|section| section.size() > 0);
    if has_own {
        return None;
    }
    let link = parsed.gnu_debuglink().ok().flatten();
    let marks = Marks {
        build_id: parsed.build_id().ok().flatten().unwrap_or_default().to_vec(),
        link: link.map(|(name, crc)| (OsStr::from_bytes(name).into(), crc)),
    };
    let file = marks.find(Path::new(ROOT), program)?;
    let shared = shared_by(&file);
    Some((file, shared))
}

/// The file that `dwz` moved what several debug files have in common to.
fn shared_by(file: &Path) -> Option<PathBuf> {
    let bytes = files::read(file, LARGEST).ok()?;
    let parsed = object::File::parse(&*bytes).ok()?;
    let (name, _) = parsed.gnu_debugaltlink().ok()??;
    let path = file.parent()?.join(OsStr::from_bytes(name));
    path.is_file().then_some(path)
}

/// What a program says of its debug file.
struct Marks {
    /// The same in both; empty where it has none.
    build_id: Vec<u8>,
    /// The name of the file, and the checksum of what is in it.
    link: Option<(PathBuf, u32)>,
}

impl Marks {
    fn find(&self, root: &Path, program: &Path) -> Option<PathBuf> {
        self.candidates(root, program).into_iter().find(|candidate| candidate != program && self.fit(candidate))
    }

    fn candidates(&self, root: &Path, program: &Path) -> Vec<PathBuf> {
        let mut candidates = Vec::new();
        if let Some((first, rest)) = self.build_id.split_first() {
            candidates.push(root.join(".build-id").join(hex(&[*first])).join(format!("{}.debug", hex(rest))));
        }
        if let (Some((name, _)), Some(folder)) = (&self.link, program.parent()) {
            // A name, and no path that leads elsewhere.
            let name = name.file_name().map(PathBuf::from).unwrap_or_default();
            let below_root = root.join(folder.strip_prefix("/").unwrap_or(folder));
            candidates.extend([folder.to_owned(), folder.join(".debug"), below_root].map(|place| place.join(&name)));
        }
        candidates
    }

    /// Whether `candidate` belongs to the program: the lines of another build would be wrong ones.
    fn fit(&self, candidate: &Path) -> bool {
        let Ok(bytes) = files::read(candidate, LARGEST) else { return false };
        if self.build_id.is_empty() {
            let mut crc = Crc::new();
            crc.update(&bytes);
            return self.link.as_ref().is_some_and(|(_, wanted)| *wanted == crc.sum());
        }
        let parsed = object::File::parse(&*bytes).ok();
        let found = parsed.as_ref().and_then(|parsed| parsed.build_id().ok().flatten());
        found == Some(self.build_id.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_debug_file_is_found_by_its_name_and_taken_if_its_checksum_is_right() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("debug");
        let bin = folder.path().join("bin");
        let program = bin.join("shop");
        // The checksum of these nine bytes is the one by which implementations of CRC-32 are compared.
        let marks = |crc| Marks { build_id: Vec::new(), link: Some((PathBuf::from("../shop.debug"), crc)) };
        let right = marks(0xcbf4_3926);
        assert_eq!(right.find(&root, &program), None);
        for place in [bin.join(".debug"), root.join(bin.strip_prefix("/").expect("an absolute path"))] {
            fs::create_dir_all(&place).expect("a folder");
            fs::write(place.join("shop.debug"), "123456789").expect("a file");
            assert_eq!(right.find(&root, &program), Some(place.join("shop.debug")));
            assert_eq!(marks(7).find(&root, &program), None, "of another build");
            fs::remove_dir_all(&place).expect("it is there");
        }
    }

    #[test]
    fn a_debug_file_is_found_by_the_build_id_that_it_shares_with_the_program() {
        let maps = fs::read_to_string("/proc/self/maps").expect("maps");
        let library =
            maps.lines().find(|line| line.contains("/libc.so")).and_then(|line| line.find('/').map(|at| &line[at..]));
        let library = library.expect("the C library");
        let bytes = fs::read(library).expect("the C library");
        let parsed = object::File::parse(&*bytes).expect("an object");
        let build_id = parsed.build_id().expect("notes").expect("libraries of distributions have one").to_vec();
        let folder = tempfile::tempdir().expect("a folder");
        let marks = Marks { build_id, link: None };
        let place = marks.candidates(folder.path(), Path::new(library)).remove(0);
        fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
        fs::write(&place, "of something else").expect("a file");
        assert_eq!(marks.find(folder.path(), Path::new(library)), None);
        fs::copy(library, &place).expect("a copy");
        assert_eq!(marks.find(folder.path(), Path::new(library)), Some(place));
        assert!(debug_file(Path::new("/bin/none"), &parsed).is_none_or(|(file, _)| file.starts_with(ROOT)));
    }
}
