//! Which column is which.

use super::Options;
use super::refusal::{Refusal, listed};
use super::table::{Column, Role, TIMES, Table, place};
use super::timestamp::is_moment;
use super::unit::{Amount, Decimal, Unit, is_rate, without_labels};

/// Rows that are looked at for what a column holds.
const LOOKED_AT: usize = 500;

/// Names of columns that count requests, and that tell how many there are in a second.
const REQUESTS: [&str; 6] = ["requests", "completed", "requests_total", "http_requests_total", "reqs", "hits"];
const RATES: [&str; 8] =
    ["rps", "qps", "req/s", "requests/s", "reqs/s", "requests_per_second", "request_rate", "throughput"];

/// Names of columns that tell series apart, and lives of one.
const LABELS: [&str; 25] = [
    "name",
    "container",
    "pod",
    "series",
    "metric",
    "instance",
    "host",
    "hostname",
    "process",
    "command",
    "cmd",
    "comm",
    "label",
    "namespace",
    "service",
    "app",
    "job",
    "_measurement",
    "_field",
    "exe",
    "program",
    "node",
    "target",
    "tag",
    "container_name",
];
const LIVES: [&str; 5] = ["pid", "container_id", "container id", "id", "process_id"];

/// Words in names of other amounts of memory than what is held.
const NOT_HELD: [&str; 36] = [
    "percent",
    "pct",
    "perc",
    "%",
    "limit",
    "limits",
    "max",
    "peak",
    "hwm",
    "high",
    "free",
    "available",
    "avail",
    "request",
    "requests",
    "swap",
    "virtual",
    "vsz",
    "vms",
    "vsize",
    "virt",
    "shared",
    "shr",
    "cache",
    "cached",
    "buff",
    "buffers",
    "cpu",
    "total",
    "inactive",
    "active",
    "huge",
    "min",
    "quota",
    "failcnt",
    "memperc",
];

/// When the readings were taken.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum When {
    /// These columns, joined by a blank: a date and a clock may be two.
    Columns(Vec<usize>),
    /// How long the process has lived.
    Lived(usize),
    /// The number of the reading, which is a column or the row.
    Turn(Option<usize>),
}

/// What each column is taken for.
#[derive(Debug)]
pub(super) struct Roles {
    pub(super) when: When,
    /// Whether `--columns` names the time, whose numbers are seconds then.
    pub(super) time_is_named: bool,
    pub(super) memory: Vec<usize>,
    pub(super) requests: Option<usize>,
    /// Whether that is requests per second.
    pub(super) is_rate: bool,
    pub(super) live: Option<usize>,
    pub(super) labels: Vec<usize>,
    pub(super) life: Option<usize>,
    /// A column that says the unit of the row.
    pub(super) unit: Option<usize>,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Amount,
    Moment,
    Text,
    Nothing,
}

impl Roles {
    pub(super) fn of(table: &Table, options: &Options) -> Result<Self, Refusal> {
        let kinds: Vec<Kind> = (0..table.columns.len()).map(|column| kind(table, column)).collect();
        let given = |name: &Option<String>| match name {
            Some(name) => place(table, name)?.map(Some).ok_or_else(|| missing(table, name.clone())),
            None => Ok(None),
        };
        let columns = &options.columns;
        let when = match given(&columns.time)? {
            Some(time) => When::Columns(vec![time]),
            None => when(table, &kinds, options)?,
        };
        let is_time = |column: usize| matches!(&when, When::Columns(columns) if columns.contains(&column));
        let (requests, is_rate) = match given(&columns.requests)? {
            Some(named) => (Some(named), is_rate_of_requests(&table.columns[named].name)),
            None => requests(table, &kinds)?,
        };
        let live = given(&columns.live)?;
        let is_free = |column: usize| !is_time(column) && Some(column) != requests && Some(column) != live;
        let memory = match given(&columns.memory)? {
            Some(named) => vec![named],
            None => memory(table, &kinds, options, is_free)?,
        };
        let named = |names: &[&str]| {
            let is_one = |column: &usize| names.contains(&lower(&table.columns[*column]).as_str());
            (0..table.columns.len())
                .filter(is_one)
                .filter(|nth| is_free(*nth) && !memory.contains(nth))
                .collect::<Vec<_>>()
        };
        let preset = |role| (0..table.columns.len()).filter(move |nth| table.columns[*nth].role == Some(role));
        let labels = match given(&columns.series)? {
            Some(named) => vec![named],
            None if preset(Role::Label).next().is_some() => preset(Role::Label).collect(),
            None if has_no_names(table) => (0..kinds.len()).filter(|nth| is_label(table, &kinds, *nth)).collect(),
            None => named(&LABELS),
        };
        let named_life = || named(&LIVES).into_iter().find(|life| !labels.contains(life));
        let life = preset(Role::Life).next().or_else(named_life);
        let unit = named(&["unit", "units"]).into_iter().next();
        let time_is_named = columns.time.is_some();
        Ok(Self { when, time_is_named, memory, requests, is_rate, live, labels, life, unit })
    }
}

/// Whether columns are called by their numbers.
fn has_no_names(table: &Table) -> bool {
    table.columns.iter().enumerate().all(|(nth, column)| column.name == (nth + 1).to_string())
}

/// Whether a column without a name holds names.
fn is_label(table: &Table, kinds: &[Kind], column: usize) -> bool {
    let is_name = |cell: &str| cell.starts_with(|c: char| c.is_alphabetic());
    kinds[column] == Kind::Text && table.column(column).take(LOOKED_AT).all(|(_, cell)| is_name(cell))
}

fn lower(column: &Column) -> String {
    column.name.to_ascii_lowercase()
}

fn missing(table: &Table, wanted: String) -> Refusal {
    Refusal::NoColumn { wanted, found: listed(table.names()) }
}

fn kind(table: &Table, column: usize) -> Kind {
    let mut cells = table.column(column).take(LOOKED_AT).map(|(_, cell)| cell).peekable();
    if cells.peek().is_none() {
        return Kind::Nothing;
    }
    let (mut amounts, mut moments, mut with_unit) = (true, true, false);
    for cell in cells {
        let amount = Amount::of(cell, Decimal::Point);
        with_unit |= amount.is_some_and(|amount| amount.unit.is_some());
        amounts &= amount.is_some();
        moments = moments && !amounts && is_moment(cell);
    }
    match (amounts, moments) {
        (true, _) if with_unit => Kind::Amount,
        (true, _) => Kind::Number,
        (false, true) => Kind::Moment,
        (false, false) => Kind::Text,
    }
}

/// The columns that say when.
fn when(table: &Table, kinds: &[Kind], options: &Options) -> Result<When, Refusal> {
    let role = |wanted| table.columns.iter().position(|column| column.role == Some(wanted));
    if let Some(time) = role(Role::Time) {
        return Ok(When::Columns(vec![time]));
    }
    if let Some(lived) = role(Role::Lived) {
        return Ok(When::Lived(lived));
    }
    if let Some(turn) = role(Role::Turn) {
        return if options.every.is_some() { Ok(When::Turn(Some(turn))) } else { Err(Refusal::NoTime) };
    }
    let at = |name: &str| table.columns.iter().position(|column| lower(column) == name);
    if let (Some(date), Some(clock)) = (at("date"), at("time").or_else(|| at("clock")))
        && [date, clock].iter().all(|column| matches!(kinds[*column], Kind::Moment))
        && table.column(clock).next().is_some_and(|(_, cell)| cell.contains(':') && !cell.contains(['/', '-']))
    {
        return Ok(When::Columns(vec![date, clock]));
    }
    if let Some(name) = TIMES.into_iter().find(|name| at(name).is_some()) {
        let named = at(name).map(|column| table.columns[column].name.clone()).unwrap_or_default();
        return Ok(When::Columns(place(table, &named)?.into_iter().collect()));
    }
    let with_unit = |column: &Column| time_scale(&column.name).is_some() && lower(column).contains(['t', 'e']);
    if let Some(column) = table.columns.iter().position(with_unit) {
        return Ok(When::Columns(vec![column]));
    }
    let is_stamp = |column: usize| {
        kinds[column] == Kind::Moment
            || kinds[column] == Kind::Number && table.column(column).take(LOOKED_AT).all(|(_, cell)| is_moment(cell))
    };
    if let Some(column) = (0..kinds.len()).find(|column| is_stamp(*column)) {
        return Ok(When::Columns(vec![column]));
    }
    if options.every.is_some() {
        return Ok(When::Turn(None));
    }
    if table.rows() > 0 && memory(table, kinds, options, |_| true).is_ok() {
        return Err(Refusal::NoTime);
    }
    Err(missing(table, TIMES[..3].join(" or ")))
}

/// Seconds in the unit that the name of a column of time says.
pub(super) fn time_scale(name: &str) -> Option<f64> {
    let last = name.rsplit(|c: char| !c.is_ascii_alphabetic()).find(|word| !word.is_empty())?;
    let scale = match last.to_ascii_lowercase().as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "ms" | "msec" | "millis" | "milliseconds" => 1e-3,
        "us" | "micros" | "microseconds" => 1e-6,
        "ns" | "nanos" | "nanoseconds" => 1e-9,
        "min" | "mins" | "minutes" => 60.0,
        "h" | "hours" => 3600.0,
        _ => return None,
    };
    Some(scale)
}

fn is_rate_of_requests(name: &str) -> bool {
    RATES.contains(&name.to_ascii_lowercase().as_str()) || is_rate(name)
}

/// The column of requests, and whether it is one of requests per second.
fn requests(table: &Table, kinds: &[Kind]) -> Result<(Option<usize>, bool), Refusal> {
    for (names, is_rate) in [(&REQUESTS[..], false), (&RATES[..], true)] {
        let is_one = |nth: &usize| names.contains(&lower(&table.columns[*nth]).as_str());
        // The memory that a pod asks for is called requests as well.
        let is_plain = |nth: &usize| kinds[*nth] != Kind::Amount && kinds[*nth] != Kind::Text;
        if let Some(found) = (0..table.columns.len()).filter(is_one).find(is_plain) {
            return Ok((place(table, &table.columns[found].name)?, is_rate));
        }
    }
    Ok((None, false))
}

/// The columns of memory: those of the surest kind, of which each is a series.
fn memory(
    table: &Table,
    kinds: &[Kind],
    options: &Options,
    is_free: impl Fn(usize) -> bool,
) -> Result<Vec<usize>, Refusal> {
    let all = || (0..table.columns.len()).filter(|nth| is_free(*nth));
    let preset: Vec<usize> = all().filter(|nth| table.columns[*nth].role == Some(Role::Memory)).collect();
    if !preset.is_empty() {
        return Ok(preset);
    }
    let ranked = || all().filter_map(|nth| Some((memory_rank(&table.columns[nth].name)?, nth)));
    if let Some((best, _)) = ranked().min() {
        let found: Vec<usize> = ranked().filter(|(rank, _)| *rank == best).map(|(_, nth)| nth).collect();
        for nth in &found {
            place(table, &table.columns[*nth].name)?;
        }
        return Ok(found);
    }
    let with_unit = |nth: &usize| {
        let name = &table.columns[*nth].name;
        kinds[*nth] == Kind::Amount
            || kinds[*nth] == Kind::Number && Unit::of_name(name).is_some() && !is_not_held(name)
    };
    let mut found: Vec<usize> = all().filter(with_unit).collect();
    if has_no_names(table) {
        // Columns of a CPU are in thousandths (`3m`), and a limit stands behind what it limits.
        let is_cpu = |nth: &usize| table.column(*nth).take(LOOKED_AT).all(|(_, cell)| cell.ends_with('m'));
        found.retain(|nth| !is_cpu(nth));
        found.truncate(1);
    }
    if !found.is_empty() {
        return Ok(found);
    }
    // Legends of Grafana, or process ids, as names: what they are a name of is the reader's to say.
    let found: Vec<usize> =
        all().filter(|nth| kinds[*nth] == Kind::Number && time_scale(&table.columns[*nth].name).is_none()).collect();
    if options.unit.is_some() && !found.is_empty() {
        return Ok(found);
    }
    Err(missing(table, "rss_bytes or anon_bytes or memory_bytes".to_owned()))
}

fn is_not_held(name: &str) -> bool {
    name_words(name).iter().any(|word| NOT_HELD.contains(&word.as_str()))
}

/// The words of a name in small letters, those of `heapUsed` too.
fn name_words(name: &str) -> Vec<String> {
    let name = without_labels(name);
    let mut words = vec![String::new()];
    let mut was_small = false;
    for c in name.chars() {
        let is_inside = c.is_alphanumeric() || c == '%';
        if !is_inside || c.is_uppercase() && was_small {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| is_inside) {
            word.extend(c.to_lowercase());
        }
        was_small = c.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// How surely a column of this name is memory that a process holds: the least number is the surest. None: it is not.
pub(super) fn memory_rank(name: &str) -> Option<u8> {
    let words = name_words(name);
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    if is_not_held(name) || is_rate(name) {
        return None;
    }
    if has(&["heap", "stack", "external", "alloc", "inuse", "arena", "live"]) {
        return has(&["heap", "alloc", "inuse"]).then_some(6);
    }
    let ranks: [&[&str]; 5] = [
        &["rss", "resident", "vmrss", "vm_rss", "res", "real", "rsz"],
        &["anon", "anonymous", "rssanon", "uss", "pss", "private"],
        &["working", "footprint", "kbmemused"],
        &["memory", "mem", "memusage", "memused", "memoryusage", "ram"],
        &["value", "_value"],
    ];
    let place = ranks.iter().position(|wanted| has(wanted))?;
    u8::try_from(place).ok()
}

/// What a column of this name is, if not an amount of memory that is held.
pub(super) fn not_an_amount(name: &str) -> Option<&'static str> {
    let bare = without_labels(name);
    if is_rate(name) {
        return Some("is an amount by the second, and not memory that is held: export the memory itself");
    }
    if bare.ends_with("_total") {
        return Some(
            "only ever counts up: what was allocated in all, and not what is held (such as rss or heap in use)",
        );
    }
    let words = name_words(name);
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    if has(&["percent", "pct", "perc", "%"]) {
        return Some("is a share, and nothing tells of what: export the amount");
    }
    if has(&["free", "available", "avail"]) {
        return Some("is memory that is free: growth is what it falls by; export what is in use");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_memory_are_ranked_and_others_are_none() {
        for (name, rank) in [
            ("rss", 0),
            ("process_resident_memory_bytes{job=\"cache\"}", 0),
            ("container_memory_rss", 0),
            ("VmRSS kB", 0),
            ("RssAnon", 0),
            ("container_memory_working_set_bytes", 2),
            ("MemUsage", 3),
            ("Memory (KB)", 3),
            ("Value", 4),
            ("memory.heapUsed", 6),
        ] {
            assert_eq!(memory_rank(name), Some(rank), "{name}");
        }
        for name in
            ["cpu", "mem_limit", "MemPerc", "%MEM", "memory_requests", "VmSwap", "go_memstats_alloc_bytes_total"]
        {
            assert_eq!(memory_rank(name), None, "{name}");
        }
    }

    #[test]
    fn the_unit_of_time_stands_in_its_name() {
        assert_eq!(time_scale("elapsed_ms"), Some(1e-3));
        assert_eq!(time_scale("Time (min)"), Some(60.0));
        assert_eq!((time_scale("time"), time_scale("")), (None, None));
    }
}
