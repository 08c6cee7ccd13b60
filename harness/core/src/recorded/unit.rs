//! Units of memory: in the names of columns, behind the numbers of cells, and as `--unit` says.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

const KIB: f64 = 1024.0;

/// A unit of memory. `kB`, `MB` and `GB` are powers of 1024, as nearly all tools that write them mean it (`/proc`, ps,
/// psrecord); where they were powers of 1000 after all, growth is reported 2 to 7 % too large, and never too small.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit {
    name: &'static str,
    bytes: f64,
}

/// Not a unit of memory.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a unit of memory: bytes, KiB, MiB, GiB, TiB, kB, MB, GB or pages (of 4 KiB)")]
pub struct UnitError(String);

impl Unit {
    /// What `/proc`, ps and most others count in.
    pub(super) const KIB: Self = Self { name: "KiB", bytes: KIB };
    /// What psrecord and `mprof` count in.
    pub(super) const MIB: Self = Self { name: "MiB", bytes: KIB * KIB };
    /// The least there is: what is a leak in bytes is one in every unit.
    pub(super) const BYTES: Self = Self { name: "bytes", bytes: 1.0 };
    const ALL: [Self; 6] = [
        Self::BYTES,
        Self::KIB,
        Self::MIB,
        Self { name: "GiB", bytes: KIB * KIB * KIB },
        Self { name: "TiB", bytes: KIB * KIB * KIB * KIB },
        Self { name: "pages of 4 KiB", bytes: 4.0 * KIB },
    ];

    /// Bytes in one.
    pub(super) const fn bytes(self) -> f64 {
        self.bytes
    }

    /// Of a word of at least two letters, in any case.
    fn word(word: &str) -> Option<Self> {
        let place = match word.to_ascii_lowercase().as_str() {
            "bytes" | "byte" => 0,
            "kib" | "kb" | "kibibytes" | "kilobytes" => 1,
            "mib" | "mb" | "mebibytes" | "megabytes" => 2,
            "gib" | "gb" | "gibibytes" | "gigabytes" => 3,
            "tib" | "tb" => 4,
            "pages" => 5,
            _ => return None,
        };
        Some(Self::ALL[place])
    }

    /// Of what stands behind a number or in brackets: one letter is enough.
    fn behind(text: &str) -> Option<Self> {
        let place = match text.to_ascii_lowercase().as_str() {
            "b" => 0,
            "k" | "ki" => 1,
            "m" | "mi" => 2,
            "g" | "gi" => 3,
            "t" | "ti" => 4,
            _ => return Self::word(text),
        };
        Some(Self::ALL[place])
    }

    /// The unit that the name of a column says: `rss_kib`, `RSS(MB)`, `RSS [MiB]`, `VmRSS kB`, `heapUsedBytes`,
    /// `process_resident_memory_bytes{job="web"}`, `kbmemused`. None where it says none, two, or something is computed.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let name = without_labels(name);
        if name.contains(" / ") || name.contains('*') {
            return None;
        }
        let of_word = |(word, bracketed)| if bracketed { Self::behind(word) } else { Self::word(word) };
        let mut found = words(&name).filter_map(of_word);
        let first = found.next().or_else(|| Self::joined(&name))?;
        found.all(|other| other == first).then_some(first)
    }

    /// `rssKB`, `heapUsedBytes`, `kbmemused`: nothing stands between the words.
    fn joined(name: &str) -> Option<Self> {
        if name.starts_with("kb") && name.len() > 3 {
            return Some(Self::KIB);
        }
        let endings = ["Bytes", "KiB", "MiB", "GiB", "KB", "kB", "MB", "GB", "Kb", "Mb", "Gb"];
        let ending = endings.into_iter().find(|ending| name.ends_with(ending))?;
        let before = name[..name.len() - ending.len()].chars().next_back()?;
        (before.is_ascii_lowercase() || before.is_ascii_digit()).then(|| Self::word(ending)).flatten()
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

impl FromStr for Unit {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        Self::behind(text.trim()).ok_or_else(|| UnitError(text.to_owned()))
    }
}

/// A name without the labels of its series.
pub(super) fn without_labels(name: &str) -> String {
    let mut depth = 0_u32;
    let mut kept = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    kept
}

/// The words of a name, and whether each stands alone in brackets.
pub(super) fn words(name: &str) -> impl Iterator<Item = (&str, bool)> {
    let is_inside = |c: char| c.is_alphanumeric() || c == '%';
    name.split(move |c: char| !is_inside(c)).filter(|word| !word.is_empty()).map(move |word| {
        let start = word.as_ptr() as usize - name.as_ptr() as usize;
        let opens = name[..start].ends_with(['(', '[']);
        let closes = name[start + word.len()..].starts_with([')', ']']);
        (word, opens && closes)
    })
}

/// Whether the name of a column says that it is of amounts per second.
pub(super) fn is_rate(name: &str) -> bool {
    let lower = without_labels(name).to_ascii_lowercase();
    let functions = ["rate(", "irate(", "deriv(", "increase(", "delta("];
    let endings = ["/s", "/sec", "/second", "_per_second", "_per_sec", "ps)", "/s)", "/s]"];
    functions.iter().any(|function| lower.contains(function)) || endings.iter().any(|end| lower.ends_with(end))
}

/// How numbers of a column are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Decimal {
    /// `1,234.5`
    #[default]
    Point,
    /// `1.234,5`
    Comma,
}

/// A number, and the unit behind it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Amount {
    pub(super) number: f64,
    pub(super) unit: Option<Unit>,
}

impl Amount {
    /// Of a cell: `123456`, `180.0MiB / 2GiB`, `1,2g`, `180Mi`. None if it is something else than memory.
    pub(super) fn of(text: &str, decimal: Decimal) -> Option<Self> {
        let text = text.split_once('/').map_or(text, |(used, _)| used).trim();
        if let Ok(number) = text.parse() {
            return Some(Self { number, unit: None });
        }
        let end = text.find(|c: char| !matches!(c, '0'..='9' | '.' | ',' | '-' | '+' | '\'')).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let plain = match decimal {
            Decimal::Point => number.replace([',', '\''], ""),
            Decimal::Comma => number.replace(['.', '\''], "").replace(',', "."),
        };
        let number = plain.parse().ok()?;
        let unit = unit.trim();
        if unit.is_empty() {
            return Some(Self { number, unit: None });
        }
        Some(Self { number, unit: Some(Unit::behind(unit)?) })
    }
}

/// How the numbers of a column are written, or the first of which it is open: `1,234` may be a thousand or one and a
/// bit.
#[derive(Debug, Default)]
pub(super) struct Commas {
    comma: bool,
    point: bool,
    open: Option<u64>,
}

impl Commas {
    pub(super) fn look(&mut self, text: &str, line: u64) {
        let text = text.split_once('/').map_or(text, |(used, _)| used);
        let Some(last) = text.rfind(',') else { return };
        let tail = text[last + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let head = text[..last].trim();
        if text[last..].contains('.') || head.contains(',') {
            self.point = true;
        } else if head.contains('.') || tail != 3 || head.trim_start_matches(['-', '+']).len() > 3 || head == "0" {
            self.comma = true;
        } else {
            self.open.get_or_insert(line);
        }
    }

    /// The way that all are written in; the line of one that can be read in two ways.
    pub(super) fn decimal(&self, is_comma_likely: bool) -> Result<Decimal, u64> {
        match self.open {
            Some(line) if !self.comma && !self.point && !is_comma_likely => Err(line),
            _ if self.comma || self.open.is_some() && !self.point => Ok(Decimal::Comma),
            _ => Ok(Decimal::Point),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_stand_in_names() {
        let of = |name: &str| Unit::of_name(name).map(|unit| unit.to_string());
        for (name, unit) in [
            ("rss_bytes", "bytes"),
            ("RSS(MB)", "MiB"),
            ("RSS [MiB]", "MiB"),
            ("Memory (KB)", "KiB"),
            ("VmRSS kB", "KiB"),
            ("mem (K)", "KiB"),
            ("memory, MB", "MiB"),
            ("heapUsedBytes", "bytes"),
            ("rssKB", "KiB"),
            ("rss.mb.avg", "MiB"),
            ("kbmemused", "KiB"),
            ("process_resident_memory_bytes{instance=\"mb\"}", "bytes"),
            ("MEMORY(bytes)", "bytes"),
        ] {
            assert_eq!(of(name).as_deref(), Some(unit), "{name}");
        }
        for name in ["rss", "memory", "mem_k", "x_bytes / 1024 / 1024", "x_bytes*8", "mb_or_gb", "web{unit=\"mb\"}"] {
            assert_eq!(of(name), None, "{name}");
        }
    }

    #[test]
    fn amounts_have_their_unit_behind_them() {
        let bytes = |text: &str, decimal| {
            Amount::of(text, decimal).map(|amount| amount.number * amount.unit.unwrap_or(Unit::BYTES).bytes())
        };
        let (point, comma) = (Decimal::Point, Decimal::Comma);
        for (text, decimal, wanted) in [
            ("180.5MiB / 1.9GiB", point, 180.5 * KIB * KIB),
            ("180Mi", point, 180.0 * KIB * KIB),
            ("1,2g", comma, 1.2 * KIB * KIB * KIB),
            ("1,234,567", point, 1_234_567.0),
            ("1.234,5 KiB", comma, 1234.5 * KIB),
            ("100.0 MiB", point, 100.0 * KIB * KIB),
            ("3e6", point, 3e6),
        ] {
            assert_eq!(bytes(text, decimal), Some(wanted), "{text}");
        }
        assert!(["", "many", "12 %", "3 MHz", "0x10"].iter().all(|text| bytes(text, point).is_none()));
    }

    #[test]
    fn a_comma_is_of_thousands_or_decimal_by_the_whole_column() {
        let decimal = |texts: &[&str], likely| {
            let mut commas = Commas::default();
            for text in texts {
                commas.look(text, 7);
            }
            commas.decimal(likely)
        };
        assert_eq!(decimal(&["1,5", "1,125"], false), Ok(Decimal::Comma));
        assert_eq!(decimal(&["1,234,567", "1,234"], false), Ok(Decimal::Point));
        assert_eq!(decimal(&["1024,125"], false), Ok(Decimal::Comma));
        assert_eq!(decimal(&["123,456"], false), Err(7));
        assert_eq!(decimal(&["123,456"], true), Ok(Decimal::Comma));
        assert_eq!(decimal(&["123456"], false), Ok(Decimal::Point));
    }

    #[test]
    fn what_grows_by_the_second_is_a_rate() {
        assert!(["rate(x_bytes[5m])", "rss MB/s", "alloc (B/s)", "bytes_per_second"].iter().all(|name| is_rate(name)));
        assert!(["rss_bytes", "process_resident_memory_bytes", "requests"].iter().all(|name| !is_rate(name)));
    }
}
