//! Which columns a line of names has, and by that which tool printed it.

use std::borrow::Cow;

use super::super::timestamp::is_moment;
use super::super::unit::{Amount, Decimal, Unit};

/// Names that ps prints.
const OF_PS: [&str; 36] = [
    "PID", "PPID", "PGID", "USER", "UID", "RUSER", "%CPU", "%MEM", "VSZ", "RSS", "RSZ", "TTY", "TT", "STAT", "START",
    "STARTED", "TIME", "COMMAND", "CMD", "ELAPSED", "NI", "PRI", "S", "PSR", "NLWP", "THCNT", "CPU", "C", "STIME", "F",
    "WCHAN", "ADDR", "SZ", "PSS", "LWP", "SWAP",
];

/// What memory is in a row.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Memory {
    /// A column.
    Column(usize),
    /// What there is, without what is available: `total - available` of free.
    InUse { total: usize, available: usize },
    /// The same of an old free: `used - buffers - cached`.
    Used { used: usize, given_back: [usize; 2] },
    /// The same of sar: `free + used - available`.
    OfSar { free: usize, used: usize, available: usize },
    /// What is free in all, of vmstat, which does not say how much there is: less of it is more in use.
    Free([usize; 3]),
}

/// A line of names that was recognised.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    /// As it is named in the output.
    pub(super) tool: &'static str,
    /// The unit of a number that has none behind it.
    pub(super) unit: Option<Unit>,
    /// How the column of memory is called.
    pub(super) memory_name: &'static str,
    /// Whether it is memory of the host and of no process.
    pub(super) of_host: bool,
    /// Whether columns are two blanks apart, and one blank may stand inside.
    wide: bool,
    columns: usize,
    memory: Memory,
    /// Columns that name a series.
    labels: Vec<usize>,
    life: Option<usize>,
    /// The column in which blanks may stand.
    text: Option<usize>,
    /// A column that says how long the process has lived.
    lived: Option<usize>,
    time: Option<usize>,
    /// Whether a moment stands before the names, and so before each row.
    has_moment: bool,
}

/// A row of a tool.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Read<'l> {
    pub(super) label: String,
    pub(super) life: String,
    pub(super) time: Option<Cow<'l, str>>,
    pub(super) lived: Option<&'l str>,
    pub(super) memory: Cow<'l, str>,
    /// Whether less of it is more in use.
    pub(super) is_free: bool,
}

fn position(names: &[&str], name: &str) -> Option<usize> {
    names.iter().position(|known| *known == name)
}

fn positions(names: &[&str], wanted: &[&str]) -> Vec<usize> {
    wanted.iter().filter_map(|name| position(names, name)).collect()
}

/// The cells of a line whose columns are at least two blanks or a tab apart.
fn wide(line: &str) -> Vec<&str> {
    line.split("  ").flat_map(|part| part.split('\t')).map(str::trim).filter(|part| !part.is_empty()).collect()
}

impl Layout {
    /// Of a line of names, without the moment before it.
    pub(super) fn of(line: &str, has_moment: bool) -> Option<Self> {
        // Rows begin with a figure, or have one; only a few names do.
        if line.contains([';', ',']) || !line.contains(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let bare = line.trim_start_matches('#').trim();
        let names: Vec<&str> = bare.split_whitespace().collect();
        let has = |name: &str| names.contains(&name);
        if has("Elapsed") && has("Real") && has("(MB)") {
            return Some(Self::psrecord(&wide(bare)));
        }
        if bare.contains("MEM USAGE / LIMIT") {
            return Self::docker(&wide(bare));
        }
        if names.len() > 40 || names.iter().any(|name| name.parse::<f64>().is_ok()) {
            return None;
        }
        let of_tool = Self::kubectl(&names)
            .or_else(|| Self::vmstat(&names))
            .or_else(|| Self::free(&names))
            .or_else(|| Self::sar(&names));
        let found = of_tool.or_else(|| Self::of_processes(&names, has_moment))?;
        Some(Self { has_moment, ..found })
    }

    fn plain(tool: &'static str, names: &[&str], memory: Memory, memory_name: &'static str) -> Self {
        Self {
            tool,
            unit: Some(Unit::KIB),
            memory_name,
            of_host: false,
            wide: false,
            columns: names.len(),
            memory,
            labels: Vec::new(),
            life: None,
            text: None,
            lived: None,
            time: None,
            has_moment: false,
        }
    }

    fn psrecord(names: &[&str]) -> Self {
        let memory = names.iter().position(|name| name.starts_with("Real")).unwrap_or(2);
        let plain = Self::plain("psrecord", names, Memory::Column(memory), "Real (MB)");
        Self { unit: Some(Unit::MIB), time: Some(0), ..plain }
    }

    fn docker(names: &[&str]) -> Option<Self> {
        let memory = position(names, "MEM USAGE / LIMIT")?;
        let ids = positions(names, &["CONTAINER ID", "CONTAINER", "ID"]);
        let named = positions(names, &["NAME"]);
        let plain = Self::plain("docker stats", names, Memory::Column(memory), "MEM USAGE");
        let (labels, life) = if named.is_empty() { (ids, None) } else { (named, ids.first().copied()) };
        Some(Self { unit: None, wide: true, labels, life, ..plain })
    }

    fn kubectl(names: &[&str]) -> Option<Self> {
        let memory = position(names, "MEMORY(bytes)")?;
        let labels = positions(names, &["NAMESPACE", "POD", "NAME"]);
        let plain = Self::plain("kubectl top", names, Memory::Column(memory), "MEMORY(bytes)");
        Some(Self { unit: None, labels, ..plain })
    }

    fn vmstat(names: &[&str]) -> Option<Self> {
        let at = |name| position(names, name);
        let memory = Memory::Free([at("free")?, at("buff")?, at("cache")?]);
        let columns = at("st").or_else(|| at("wa"))? + 1;
        let columns = at("gu").map_or(columns, |gu| gu + 1);
        let plain = Self::plain("vmstat", names, memory, "memory in use");
        Some(Self { columns, of_host: true, ..plain })
    }

    fn free(names: &[&str]) -> Option<Self> {
        if !names.starts_with(&["total", "used", "free"]) {
            return None;
        }
        // The rows have a name before the figures, which the line of names has not.
        let at = |name| position(names, name).map(|nth| nth + 1);
        let memory = match (at("available"), at("buffers"), at("cached")) {
            (Some(available), ..) => Memory::InUse { total: 1, available },
            (None, Some(buffers), Some(cached)) => Memory::Used { used: 2, given_back: [buffers, cached] },
            _ => return None,
        };
        let plain = Self::plain("free", names, memory, "memory in use");
        Some(Self { unit: None, columns: names.len() + 1, of_host: true, ..plain })
    }

    fn sar(names: &[&str]) -> Option<Self> {
        let at = |name| position(names, name);
        let (free, used) = (at("kbmemfree")?, at("kbmemused")?);
        let memory = match at("kbavail") {
            Some(available) => Memory::OfSar { free, used, available },
            None => Memory::Used { used, given_back: [at("kbbuffers")?, at("kbcached")?] },
        };
        Some(Self { of_host: true, ..Self::plain("sar -r", names, memory, "memory in use") })
    }

    /// Tools with a row for each process.
    fn of_processes(names: &[&str], has_moment: bool) -> Option<Self> {
        let at = |name| position(names, name);
        let any = |wanted: &[&str]| wanted.iter().find_map(|name| position(names, name));
        let text = any(&["COMMAND", "Command", "CMD", "Name", "Process"]);
        let life = at("PID");
        let of = |tool, memory, memory_name| {
            let plain = Self::plain(tool, names, Memory::Column(memory), memory_name);
            Self { labels: text.into_iter().collect(), life, text, ..plain }
        };
        if let (Some(memory), Some(_)) = (at("RES"), at("VIRT")) {
            return Some(of("top", memory, "RES"));
        }
        if let (Some(memory), Some(_)) = (at("RSS"), at("minflt/s")) {
            let time = at("Time").filter(|_| !has_moment);
            return Some(Self { time, ..of("pidstat", memory, "RSS") });
        }
        if let (Some(_), Some(_)) = (at("PSS"), at("USS")) {
            let memory = at("RSS").or_else(|| at("PSS"))?;
            return Some(of("smem", memory, if at("RSS").is_some() { "RSS" } else { "PSS" }));
        }
        let memory = at("RSS").or_else(|| at("RSZ"))?;
        let is_ps = names.iter().all(|name| OF_PS.contains(name));
        is_ps.then(|| Self { lived: at("ELAPSED"), ..of("ps", memory, "RSS") })
    }

    /// A row below these names: `rest` is what stands behind its leading moment.
    pub(super) fn row<'l>(&self, line: &'l str, leading: Option<&'l str>, rest: &'l str) -> Option<Read<'l>> {
        if self.time.is_some() && leading.is_none() {
            return self.cells(&self.split(line)?, None);
        }
        if self.time.is_some() {
            // The column of the time is the moment, whatever its number of words.
            let mut cells = vec![Cow::Borrowed(leading?)];
            let one_less = Self { columns: self.columns - 1, text: self.text.map(|text| text - 1), ..self.clone() };
            cells.extend(one_less.split(rest)?);
            return self.cells(&cells, leading.map(Cow::Borrowed));
        }
        let words: Vec<&str> = rest.split_whitespace().collect();
        if self.text.is_none() && words.len() == self.columns + 2 {
            let trailing = words[self.columns..].join(" ");
            let cells: Vec<Cow<'l, str>> = words[..self.columns].iter().map(|word| Cow::Borrowed(*word)).collect();
            return is_moment(&trailing).then(|| self.cells(&cells, Some(Cow::Owned(trailing))))?;
        }
        // Averages at the end have a word in place of the moment. Without one above, what looks like a moment is the
        // first column: how long a process has lived.
        match (self.has_moment, leading) {
            (true, None) => None,
            (true, Some(_)) => self.cells(&self.split(rest)?, leading.map(Cow::Borrowed)),
            (false, _) => self.cells(&self.split(line)?, None),
        }
    }

    /// The cells of a row, as many as there are columns.
    fn split<'l>(&self, line: &'l str) -> Option<Vec<Cow<'l, str>>> {
        let words: Vec<&'l str> = if self.wide { wide(line) } else { line.split_whitespace().collect() };
        let borrowed = |words: &[&'l str]| words.iter().map(|word| Cow::Borrowed(*word)).collect::<Vec<_>>();
        match (words.len().checked_sub(self.columns)?, self.text) {
            (0, _) => Some(borrowed(&words)),
            (more, Some(text)) => {
                let joined = words[text..=text + more].join(" ");
                let mut cells = borrowed(&words[..text]);
                cells.push(Cow::Owned(joined));
                cells.extend(borrowed(&words[text + more + 1..]));
                Some(cells)
            }
            _ => None,
        }
    }

    fn cells<'l>(&self, cells: &[Cow<'l, str>], time: Option<Cow<'l, str>>) -> Option<Read<'l>> {
        let amount = |nth: usize| Amount::of(cells.get(nth)?, decimal(cells.get(nth)?));
        // Rows of another kind stand between these: totals, swap, other tables of the same tool.
        let is_free = matches!(self.memory, Memory::Free(_));
        let computed = |sum: f64, unit: Option<Unit>| match unit {
            Some(unit) => Cow::Owned(format!("{}B", sum * unit.bytes())),
            None => Cow::Owned(sum.to_string()),
        };
        let in_bytes = |nth: usize| {
            let amount = amount(nth)?;
            Some((amount.number * amount.unit.map_or(1.0, Unit::bytes), amount.unit.map(|_| Unit::BYTES)))
        };
        let memory = match self.memory {
            Memory::Column(memory) => {
                amount(memory)?;
                cells[memory].clone()
            }
            Memory::InUse { total, available } => {
                let _ = cells.first().filter(|name| name.starts_with("Mem"))?;
                let ((total, unit), (available, _)) = (in_bytes(total)?, in_bytes(available)?);
                computed(total - available, unit)
            }
            Memory::Used { used, given_back: [buffers, cached] } => {
                let ((used, unit), (buffers, _), (cached, _)) =
                    (in_bytes(used)?, in_bytes(buffers)?, in_bytes(cached)?);
                computed(used - buffers - cached, unit)
            }
            Memory::OfSar { free, used, available } => {
                computed(amount(free)?.number + amount(used)?.number - amount(available)?.number, None)
            }
            Memory::Free(columns) => {
                let sum: Option<f64> = columns.into_iter().map(|nth| Some(amount(nth)?.number)).sum();
                computed(sum?, None)
            }
        };
        let label = self.labels.iter().filter_map(|nth| cells.get(*nth)).map(AsRef::as_ref).collect::<Vec<&str>>();
        let lived = self.lived.and_then(|nth| match cells.get(nth)? {
            Cow::Borrowed(lived) => Some(*lived),
            Cow::Owned(_) => None,
        });
        Some(Read {
            label: label.join("/"),
            life: self.life.and_then(|nth| cells.get(nth)).map_or_else(String::new, ToString::to_string),
            time: time.or_else(|| self.time.and_then(|nth| cells.get(nth).cloned())),
            lived,
            memory,
            is_free,
        })
    }
}

/// How a cell of a tool is written: none of them puts commas between thousands.
fn decimal(cell: &str) -> Decimal {
    if cell.contains(',') { Decimal::Comma } else { Decimal::Point }
}
