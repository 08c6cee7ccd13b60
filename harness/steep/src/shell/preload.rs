//! Finds a shared library that is to be loaded before all others, and sees whether each process of a service has it
//! mapped.

use std::path::{Path, PathBuf};
use std::{fs, io};

use thiserror::Error;

use crate::shell::process_tree;
use crate::shell::procfs::mapped_files;

/// The variable that the dynamic loader reads.
pub const VARIABLE: &str = "LD_PRELOAD";

/// Where libraries are on Debian and its kin (with the architecture), on Red Hat's, on Arch and Alpine, and what was
/// built by hand.
const FOLDERS: [&str; 6] = ["/usr/local/lib", "/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib64"];

/// Why a library is not preloaded.
#[derive(Debug, Error)]
pub enum PreloadError {
    /// There is no such file.
    #[error("{library} is in none of {}; install it, or give its path", looked_in.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", "))]
    NotFound {
        /// What was looked for.
        library: String,
        /// Where.
        looked_in: Vec<PathBuf>,
    },
    /// The loader would take the path for two.
    #[error("{} cannot be preloaded: its path has a space or a colon, which the loader takes for the end of a name", .0.display())]
    Unwritable(PathBuf),
    /// A process runs without it.
    #[error("{} is not among the files that are mapped into process {pid} ({name}) of the service: {}", library.display(), why(*is_static))]
    NotMapped {
        /// The library.
        library: PathBuf,
        /// The process.
        pid: u32,
        /// Its program.
        name: String,
        /// Whether the program has no shared library at all.
        is_static: bool,
    },
    /// What is mapped cannot be seen.
    #[error("what is mapped into process {pid} of the service cannot be read: {source}")]
    Unreadable {
        /// The process.
        pid: u32,
        /// Why.
        source: io::Error,
    },
}

fn why(is_static: bool) -> &'static str {
    if is_static {
        "the program is linked statically, and nothing can be loaded into it; build it with the allocator instead"
    } else {
        "it was started without the variable, with other rights, or for another architecture"
    }
}

/// The file of `library`: with a `/` relative to `scenario_folder`, else in a folder of the system.
///
/// # Errors
/// It is not there, or its path cannot be given to the loader.
pub fn find(library: &str, scenario_folder: &Path) -> Result<PathBuf, PreloadError> {
    let folders: Vec<PathBuf> = if library.contains('/') {
        vec![scenario_folder.to_owned()]
    } else {
        let of_architecture = Path::new("/usr/lib").join(format!("{}-linux-gnu", std::env::consts::ARCH));
        std::iter::once(of_architecture).chain(FOLDERS.map(PathBuf::from)).collect()
    };
    // Without links, as it will stand in the maps.
    let found =
        folders.iter().find_map(|folder| folder.join(library).canonicalize().ok().filter(|file| file.is_file()));
    let file = found.ok_or_else(|| PreloadError::NotFound { library: library.to_owned(), looked_in: folders })?;
    nameable(file)
}

/// `library`, if the loader can be given its path.
///
/// # Errors
/// It would be taken for two.
pub fn nameable(library: PathBuf) -> Result<PathBuf, PreloadError> {
    if library.to_string_lossy().contains([' ', ':']) { Err(PreloadError::Unwritable(library)) } else { Ok(library) }
}

/// That every process below this supervisor has `library` mapped.
///
/// # Errors
/// One has not, or cannot be looked into.
pub fn ensure_mapped_everywhere(library: &Path, supervisor_pid: u32) -> Result<(), PreloadError> {
    for process in process_tree::descendants(&process_tree::processes(), supervisor_pid) {
        let maps = match fs::read_to_string(format!("/proc/{}/maps", process.pid)) {
            // It ended since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(PreloadError::Unreadable { pid: process.pid, source }),
            Ok(maps) if maps.is_empty() => continue,
            Ok(maps) => maps,
        };
        if !mapped_files(&maps).iter().any(|file| Path::new(file) == library) {
            let program = fs::read_link(format!("/proc/{}/exe", process.pid)).unwrap_or_default();
            let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_static = !mapped_files(&maps).iter().any(|file| file.contains(".so"));
            return Err(PreloadError::NotMapped { library: library.to_owned(), pid: process.pid, name, is_static });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_found_beside_the_scenario_or_its_absence_is_reported_with_the_places() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("liba.so"), "").expect("a file");
        let found = find("./liba.so", folder.path()).expect("found");
        assert_eq!(found, folder.path().canonicalize().expect("a folder").join("liba.so"));
        let error = find("libno_such_allocator.so.9", folder.path()).expect_err("not there").to_string();
        assert!(error.starts_with("libno_such_allocator.so.9 is in none of /usr/lib/"), "{error}");
        fs::write(folder.path().join("lib a.so"), "").expect("a file");
        assert!(matches!(find("./lib a.so", folder.path()), Err(PreloadError::Unwritable(_))));
    }

    #[test]
    fn a_static_program_is_distinguished_from_one_that_lost_its_variable() {
        let described = |is_static| {
            let library = PathBuf::from("/lib/libjemalloc.so.2");
            PreloadError::NotMapped { library, pid: 7, name: "shop".to_owned(), is_static }.to_string()
        };
        insta::assert_snapshot!(described(true), @"/lib/libjemalloc.so.2 is not among the files that are mapped into process 7 (shop) of the service: the program is linked statically, and nothing can be loaded into it; build it with the allocator instead");
        assert!(
            described(false)
                .ends_with("it was started without the variable, with other rights, or for another architecture")
        );
    }
}
