//! Opening files, of the user and of a run, whatever stands at their place: a FIFO, a device or a link of somebody else
//! never blocks steep, fills its memory, or leads it to write elsewhere.

use std::fs::{self, DirBuilder, File, FileType, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// The largest text that people write: scenarios, configuration, certificates.
pub const LARGEST_TEXT: u64 = 16 << 20;

/// Bytes that are read at once of a file that is read line by line: a trace of a night has 80 MB.
const READ_AT_ONCE: usize = 64 << 10;

/// Opens the file at `path` to be read. Links are followed: the user named it.
///
/// # Errors
/// It cannot be opened, or is not a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    // Without O_NONBLOCK, opening a FIFO that nobody writes to waits for ever; on regular files it means nothing.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    match file.metadata()?.file_type() {
        kind if kind.is_file() => Ok(file),
        kind => Err(not_regular(kind)),
    }
}

/// The bytes of the file at `path`, of which there may be `most`. The reading is bounded, and not what the system says
/// before: a file may grow while it is read.
///
/// # Errors
/// As of [`open`], and when it has more.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_large(most));
    }
    Ok(bytes)
}

fn too_large(most: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {most} bytes"))
}

/// Hands over each line of the file at `path`, its end included, until `goes_on` says otherwise: never more than one of
/// them is held. Of the whole there may be `most` bytes, as of [`read`].
///
/// # Errors
/// As of [`read`].
pub fn each_line(path: &Path, most: u64, goes_on: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
    each_line_of(open(path)?, most, goes_on)
}

/// The same of what `text` gives.
///
/// # Errors
/// As of [`read`].
pub fn each_line_of(text: impl io::Read, most: u64, mut goes_on: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
    let mut lines = BufReader::with_capacity(READ_AT_ONCE, text.take(most + 1));
    let (mut line, mut seen) = (Vec::new(), 0);
    while lines.read_until(b'\n', &mut line)? > 0 {
        seen += line.len() as u64;
        if seen > most {
            return Err(too_large(most));
        }
        if !goes_on(&line) {
            break;
        }
        line.clear();
    }
    Ok(())
}

/// The same of a text.
///
/// # Errors
/// As of [`read`], and when it is not UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    let not_text = |error| io::Error::new(io::ErrorKind::InvalidData, format!("it is not UTF-8 text: {error}"));
    String::from_utf8(read(path, most)?).map_err(not_text)
}

/// A new file of steep's own at `path`, to be appended to. What steep left there before is taken away; nothing is
/// written through a link, into a FIFO or a device.
///
/// # Errors
/// Something else is there, or the file cannot be made.
pub fn begin(path: &Path) -> io::Result<File> {
    take_away(path)?;
    create_new(path)
}

/// A new file at `path`, where nothing may be, not even a link that leads nowhere.
///
/// # Errors
/// Something is there, or the file cannot be made.
pub fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create_new(true).open(path)
}

/// Writes `bytes` to steep's own file at `path` whole: a reader sees the old file or the new one.
///
/// # Errors
/// Something is there that is not a regular file, or the disk is full.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    refuse_special(path)?;
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", temporary.display()));
    let mut file = begin(&temporary).map_err(named)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // Half a file helps nobody, least of all on a full disk.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Appends `line` to steep's own file at `path`, which is made if it is not there, as a line of its own: also where
/// what was written last was cut off. It is handed to the kernel whole.
///
/// # Errors
/// Something is there that is not a regular file, or it cannot be written.
pub fn append_line(path: &Path, line: &str) -> io::Result<()> {
    refuse_special(path)?;
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).custom_flags(flags.bits().cast_signed());
    let mut file = options.open(path)?;
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    let torn = if last == [b'\n'] { "" } else { "\n" };
    file.write_all(format!("{torn}{line}").as_bytes())?;
    file.sync_data()
}

/// The file that is locked at `path`: what is in it stays.
///
/// # Errors
/// Something is there that is not a regular file, or the file cannot be made.
pub fn lock_file(path: &Path) -> io::Result<File> {
    refuse_special(path)?;
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).custom_flags(flags.bits().cast_signed()).open(path)
}

/// The folder `path` below one of steep's own, made if it is not there. A link in its place may lead anywhere.
///
/// # Errors
/// Something is there that is not a folder, or it cannot be made.
pub fn own_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made,
    }
    match fs::symlink_metadata(path)?.file_type() {
        kind if kind.is_dir() => Ok(()),
        kind => Err(in_the_way(kind)),
    }
}

/// Writes `text` to where the user wants it: a file, begun anew, or a device or FIFO that takes it at once.
///
/// # Errors
/// It cannot be opened or written; nobody reads the FIFO.
pub fn write_output(path: &Path, text: &str) -> io::Result<()> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).custom_flags(flags.bits().cast_signed());
    let mut file = options.open(path).map_err(|error| match rustix::io::Errno::from_io_error(&error) {
        Some(rustix::io::Errno::NXIO) => io::Error::new(error.kind(), "it is a FIFO that nobody reads"),
        _ => error,
    })?;
    // Who reads may take their time.
    let flags = rustix::fs::fcntl_getfl(&file)?;
    rustix::fs::fcntl_setfl(&file, flags - OFlags::NONBLOCK)?;
    file.write_all(text.as_bytes())
}

/// Whether anything stands at `path`, a link that leads nowhere included.
#[must_use]
pub fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// What stands at `path` in place of a file, for a message: `a named pipe (FIFO)`; none if it is a file or nothing.
#[must_use]
pub fn not_a_file(path: &Path) -> Option<&'static str> {
    let kind = fs::metadata(path).ok()?.file_type();
    (!kind.is_file()).then(|| named(kind))
}

/// Removes the regular file at `path`, if there is one.
fn take_away(path: &Path) -> io::Result<()> {
    refuse_special(path)?;
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// That nothing is at `path` but a regular file.
fn refuse_special(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_file() => Ok(()),
        Ok(there) => Err(in_the_way(there.file_type())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn not_regular(kind: FileType) -> io::Error {
    let message = format!("it is {} and no regular file: name a file", named(kind));
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

fn in_the_way(kind: FileType) -> io::Error {
    let message =
        format!("{} is in its place, and steep did not make it: take it away, or name another folder", named(kind));
    io::Error::new(io::ErrorKind::AlreadyExists, message)
}

fn named(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a folder"
    } else if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_fifo() {
        "a named pipe (FIFO)"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a file"
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn fifo(path: &Path) {
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
            .expect("a FIFO");
    }

    #[test]
    fn only_regular_files_are_read_and_no_more_of_them_than_asked() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let described = |path: &Path| read(path, 4).expect_err("no file").to_string();
        fifo(&at("fifo"));
        symlink("/dev/zero", at("zero")).expect("a link");
        assert_eq!(described(&at("fifo")), "it is a named pipe (FIFO) and no regular file: name a file");
        assert_eq!(described(&at("zero")), "it is a device and no regular file: name a file");
        assert_eq!(described(folder.path()), "it is a folder and no regular file: name a file");
        fs::write(at("long"), "12345").expect("a file");
        symlink("long", at("link")).expect("a link");
        assert_eq!(described(&at("link")), "it has more than 4 bytes");
        assert_eq!(read_text(&at("link"), 5).expect("a text"), "12345");
    }

    #[test]
    fn lines_come_one_by_one_until_one_is_enough_or_all_are_too_many() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lines");
        fs::write(&path, "one\ntwo\nthree").expect("a file");
        let lines = |most: u64, enough: usize| {
            let mut lines = Vec::new();
            let read = each_line(&path, most, |line| {
                lines.push(String::from_utf8_lossy(line).into_owned());
                lines.len() < enough
            });
            read.map(|()| lines).map_err(|error| error.to_string())
        };
        assert_eq!(lines(13, 9).expect("lines"), ["one\n", "two\n", "three"]);
        assert_eq!(lines(13, 2).expect("lines"), ["one\n", "two\n"]);
        assert_eq!(lines(12, 9).expect_err("too many bytes"), "it has more than 12 bytes");
    }

    #[test]
    fn nothing_is_written_through_what_somebody_else_put_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("victim"), "precious").expect("a file");
        symlink(at("victim"), at("link")).expect("a link");
        symlink(at("nowhere"), at("dangling")).expect("a link");
        symlink(folder.path(), at("folder")).expect("a link");
        fifo(&at("fifo"));
        for name in ["link", "dangling", "fifo"] {
            let path = at(name);
            for refused in [begin(&path).map(drop), replace(&path, b"x"), lock_file(&path).map(drop)] {
                let message = refused.expect_err("it is in the way").to_string();
                assert!(message.contains("is in its place, and steep did not make it"), "{name}: {message}");
            }
            assert!(create_new(&path).is_err());
        }
        symlink(at("victim"), at("own.new")).expect("a link");
        assert!(replace(&at("own"), b"x").is_err());
        assert!(own_folder(&at("folder")).is_err() && own_folder(&at("victim")).is_err());
        assert!(!is_there(&at("nowhere")));
        assert_eq!(fs::read_to_string(at("victim")).expect("a file"), "precious");
    }

    #[test]
    fn what_steep_left_is_written_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("report.json");
        fs::write(folder.path().join("report.json.new"), "hal").expect("a file");
        replace(&path, b"one").expect("a disk");
        replace(&path, b"two").expect("a disk");
        assert_eq!(fs::read_to_string(&path).expect("a file"), "two");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
        begin(&path).expect("a file").write_all(b"three").expect("a disk");
        assert_eq!(fs::read_to_string(&path).expect("a file"), "three");
        own_folder(&folder.path().join("cell")).expect("a folder");
        own_folder(&folder.path().join("cell")).expect("the same folder");
    }

    #[test]
    fn an_output_may_be_a_device_and_a_fifo_without_a_reader_is_reported() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("fifo");
        fifo(&path);
        write_output(Path::new("/dev/null"), "text").expect("a device");
        assert_eq!(write_output(&path, "text").expect_err("no reader").to_string(), "it is a FIFO that nobody reads");
        let reader = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(&path);
        write_output(&path, "text").expect("a reader");
        let mut text = String::new();
        reader.expect("a FIFO").read_to_string(&mut text).expect("a text");
        assert_eq!(text, "text");
    }
}
