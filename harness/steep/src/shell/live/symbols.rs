//! From addresses in a process to places in the source: by the debug information of the programs on the disk, never
//! inside the process.

mod debug_files;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use addr2line::Loader;
use object::{Object as _, ObjectSegment as _};

use self::debug_files::debug_file;
use crate::shell::files;
use steep_core::kept::{Frame, Module};
use steep_judge::ids::hex;

/// A program larger than this is not read: steep would take as much memory as it has bytes, and twice that for its
/// debug information. One of 99 MB without any (node) took steep to 308 MB for some seconds.
const LARGEST: u64 = 512 << 20;

/// Where a process has which file.
#[derive(Debug)]
pub struct Place {
    start: u64,
    end: u64,
    offset: u64,
    file: PathBuf,
    /// Whether it is the program itself, and not one of its libraries.
    is_program: bool,
}

/// What is known of a return address.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// The program or library that it is in.
    pub module: Option<Module>,
    /// The address of the call: in those of the file, or in the process where it is in no file.
    pub address: u64,
    /// The calls there, the innermost first: more than one where the compiler inlined.
    pub frames: Vec<Frame>,
}

/// The programs that were read so far.
#[derive(Default)]
pub struct Symbols {
    modules: BTreeMap<PathBuf, Option<Code>>,
    found: HashMap<(PathBuf, u64), Located>,
}

/// The code of one file.
struct Code {
    loader: Loader,
    /// That of its debug file, where it was stripped.
    debug: Option<Loader>,
    build_id: String,
    /// Offset in the file, length, address that the debug information knows.
    segments: Vec<(u64, u64, u64)>,
}

/// The code of a process, from a text of `/proc/PID/maps`.
#[must_use]
pub fn places(maps: &str) -> Vec<Place> {
    let mut places: Vec<Place> = maps.lines().filter_map(place).collect();
    // The program itself is mapped first.
    let program = maps.lines().find_map(|line| line.find('/').map(|at| PathBuf::from(&line[at..])));
    for place in &mut places {
        place.is_program = Some(&place.file) == program.as_ref();
    }
    places
}

impl Symbols {
    /// What is known of the return address `address`.
    pub fn call(&mut self, places: &[Place], address: u64) -> Located {
        // The call stands before the address that it returns to.
        let call = address.saturating_sub(1);
        let Some(place) = places.iter().find(|place| (place.start..place.end).contains(&call)) else {
            return Located { module: None, address: call, frames: vec![Frame::default()] };
        };
        let offset = call - place.start + place.offset;
        let key = (place.file.clone(), offset);
        if let Some(found) = self.found.get(&key) {
            return found.clone();
        }
        let code = self.modules.entry(place.file.clone()).or_insert_with(|| Code::open(&place.file));
        let (module, address) = code.as_ref().map(|code| code.place(offset)).unwrap_or_default();
        let mut frames = code.as_ref().map(|code| code.frames(address)).unwrap_or_default();
        if frames.is_empty() {
            let name = place.file.file_name().unwrap_or_default().to_string_lossy();
            frames.push(Frame { function: format!("{name}+{offset:#x}"), ..Frame::default() });
        }
        for frame in &mut frames {
            frame.is_own |= place.is_program && frame.file.is_empty() && is_named_by_program(&frame.function);
        }
        let module = Module { file: place.file.display().to_string(), ..module };
        let located = Located { module: Some(module), address, frames };
        self.found.insert(key, located.clone());
        located
    }
}

impl Code {
    fn open(file: &Path) -> Option<Self> {
        let bytes = files::read(file, LARGEST).ok()?;
        let loader = Loader::new(file).ok()?;
        let parsed = object::File::parse(&*bytes).ok()?;
        let segment = |segment: object::Segment<'_, '_>| {
            let (offset, length) = segment.file_range();
            (offset, length, segment.address())
        };
        let debug = debug_file(file, &parsed).and_then(|(file, shared)| {
            let shared = shared.map_or_else(|| Loader::new(&file), |shared| Loader::new_with_sup(&file, Some(&shared)));
            shared.ok()
        });
        let build_id = parsed.build_id().ok().flatten().map(hex).unwrap_or_default();
        Some(Self { loader, debug, build_id, segments: parsed.segments().map(segment).collect() })
    }

    /// The part of the file that the byte at `offset` lies in, and the address that debug information knows it by; the
    /// byte itself where it lies in none.
    fn place(&self, offset: u64) -> (Module, u64) {
        let build_id = self.build_id.clone();
        let inside = |(start, length, _): &&(u64, u64, u64)| (*start..start + length).contains(&offset);
        let Some((start, length, address)) = self.segments.iter().find(inside) else {
            return (Module { build_id, ..Module::default() }, offset);
        };
        let module = Module { build_id, start: *address, end: address + length, offset: *start, ..Module::default() };
        (module, address + (offset - start))
    }

    fn frames(&self, address: u64) -> Vec<Frame> {
        let mut frames = Vec::new();
        let loader = self.debug.as_ref().unwrap_or(&self.loader);
        if let Ok(mut found) = loader.find_frames(address) {
            while let Ok(Some(frame)) = found.next() {
                let function = frame.function.as_ref().and_then(|name| Some(name.demangle().ok()?.into_owned()));
                let location = frame.location.as_ref();
                let path = location.and_then(|location| location.file).unwrap_or_default();
                let own = below_package(Path::new(path));
                let path = own.clone().unwrap_or_else(|| below_registry(path).to_owned());
                frames.push(Frame {
                    function: function.unwrap_or_default(),
                    is_own: own.is_some(),
                    file: path,
                    line: location.and_then(|location| location.line).unwrap_or(0),
                });
            }
        }
        if frames.iter().all(|frame| frame.function.is_empty())
            && let Some(symbol) = loader.find_symbol(address).or_else(|| self.loader.find_symbol(address))
        {
            let function = addr2line::demangle_auto(symbol.into(), None).into_owned();
            frames = vec![Frame { function, ..Frame::default() }];
        }
        frames
    }
}

/// A line of `/proc/PID/maps` that is code of a file.
fn place(line: &str) -> Option<Place> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let is_code = fields.next()?.as_bytes().get(2) == Some(&b'x');
    let offset = u64::from_str_radix(fields.next()?, 16).ok()?;
    let file = line.find('/').map(|at| PathBuf::from(&line[at..]))?;
    is_code.then_some(Place {
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
        offset,
        file,
        is_program: false,
    })
}

/// Whether `path` is the source of a package that is worked on, and not of one that was fetched: the path below its
/// folder.
fn below_package(path: &Path) -> Option<String> {
    if is_fetched(path.to_str()?) {
        return None;
    }
    let package = path.ancestors().skip(1).find(|folder| folder.join("Cargo.toml").is_file())?;
    path.strip_prefix(package).ok()?.to_str().map(str::to_owned)
}

/// `bytes-1.12.2/src/bytes_mut.rs` of a crate that was fetched: what lies before it is somebody's home.
fn below_registry(path: &str) -> &str {
    let below = path.split_once("/.cargo/registry/src/").and_then(|(_, below)| below.split_once('/'));
    below.map_or(path, |(_, file)| file)
}

/// Whether the source at `path` was fetched by cargo, wherever that has its home, or is Rust's own.
fn is_fetched(path: &str) -> bool {
    let folders = ["/.cargo/registry/", "/.cargo/git/", "/cargo/registry/", "/cargo/git/", "/rustc/", "/usr/src/rustc"];
    folders.iter().any(|folder| path.contains(folder))
}

/// Whether a function of which only the name is known is of the program, and not of the standard library, which is a
/// part of each.
fn is_named_by_program(function: &str) -> bool {
    const OF_STANDARD: [&str; 6] = ["alloc::", "core::", "hashbrown::", "std::", "__rust", "_start"];
    // Of `<u8 as alloc::vec::spec_from_elem::SpecFromElem>::from_elem` the first path says whose it is.
    let paths = function.split(|letter: char| !(letter.is_alphanumeric() || "_:$+".contains(letter)));
    let name = paths.clone().find(|path| path.contains("::")).or(paths.clone().find(|path| !path.is_empty()));
    let name = name.unwrap_or_default();
    !name.is_empty() && !function.contains("+0x") && !OF_STANDARD.iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(never)]
    fn here() -> u64 {
        // Some address of this function's code.
        here as fn() -> u64 as usize as u64 + 2
    }

    #[test]
    fn an_address_of_this_program_leads_to_its_source() {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("maps");
        let mut symbols = Symbols::default();
        let places = places(&maps);
        let located = symbols.call(&places, here());
        let frame = located.frames.last().expect("a frame");
        assert!(frame.function.ends_with("symbols::tests::here"), "{frame:?}");
        let module = located.module.as_ref().expect("this program");
        assert!((module.start..module.end).contains(&located.address), "{located:?}");
        assert_eq!(symbols.call(&places, 4096).frames, [Frame::default()], "nothing is there");
    }

    #[test]
    fn of_names_alone_those_of_the_standard_library_are_not_own() {
        let own = ["shop::keep", "<shop::Sessions>::open", "<shop::Order as core::clone::Clone>::clone", "keep"];
        assert!(own.into_iter().all(is_named_by_program));
        let of_vec = "<u8 as alloc::vec::spec_from_elem::SpecFromElem>::from_elem";
        let standard =
            ["alloc::alloc::alloc", "<alloc::vec::Vec<T>>::push", of_vec, "__rust_alloc", "", "libc.so.6+0x2724a"];
        assert!(!standard.into_iter().any(is_named_by_program));
    }

    #[test]
    fn only_the_source_of_packages_that_are_worked_on_is_own() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/shell/live/symbols.rs");
        assert_eq!(below_package(&here).as_deref(), Some("src/shell/live/symbols.rs"));
        assert_eq!(below_package(Path::new("/rustc/abc/library/alloc/src/vec.rs")), None);
        assert_eq!(below_package(Path::new("/usr/local/cargo/registry/src/x/hyper-1.0/src/lib.rs")), None);
        assert_eq!(below_package(Path::new("/home/a/.cargo/registry/src/x/hyper-1.0/src/lib.rs")), None);
    }
}
