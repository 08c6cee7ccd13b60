//! What a simulated soak leaves: its trace in memory, and on a disk that may be full.

use crate::trace::{Record, Trace};

/// The records of a soak, in memory and, where there is a disk, as the lines that steep writes.
pub(super) struct Recording {
    pub(super) trace: Trace,
    disk: Option<Disk>,
}

struct Disk {
    room: usize,
    text: String,
}

/// No line can be written any more.
#[derive(Debug)]
pub(super) struct DiskFull;

impl Recording {
    /// Nothing is on the disk yet, which has this much `room`.
    pub(super) fn begin(trace: Trace, room: Option<usize>) -> Self {
        Self { trace, disk: room.map(|room| Disk { room, text: String::new() }) }
    }

    /// The first line, which the trace in memory begins with.
    pub(super) fn write_header(&mut self) -> Result<(), DiskFull> {
        let Some(disk) = &mut self.disk else { return Ok(()) };
        disk.write(&Record::Header(Box::new(self.trace.header.clone())))
    }

    /// Keeps `record`, unless the disk is full before all of its line is written: then a part of it is.
    pub(super) fn write(&mut self, record: Record) -> Result<(), DiskFull> {
        if let Some(disk) = &mut self.disk {
            disk.write(&record)?;
        }
        self.trace.push(record);
        Ok(())
    }

    /// What is in memory, and what is on the disk.
    pub(super) fn into_parts(self) -> (Trace, String) {
        (self.trace, self.disk.map(|disk| disk.text).unwrap_or_default())
    }
}

impl Disk {
    fn write(&mut self, record: &Record) -> Result<(), DiskFull> {
        let mut line = serde_json::to_string(record).unwrap_or_else(|error| unreachable!("a record is JSON: {error}"));
        line.push('\n');
        let left = self.room - self.text.len();
        // As a file has it: as many bytes as there is room for; here cut between characters.
        self.text.push_str(&line[..line.floor_char_boundary(left)]);
        if line.len() > left { Err(DiskFull) } else { Ok(()) }
    }
}
