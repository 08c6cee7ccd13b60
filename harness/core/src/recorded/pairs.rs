//! Lines of a name and an amount: loops over `/proc/PID/status`, `smaps_rollup` and `/proc/meminfo`, over `/metrics`,
//! and what `promtool query range` prints.

use super::console::leading_moment;
use super::roles::memory_rank;
use super::table::{Column, Role, Table};
use super::timestamp::is_moment;
use super::unit::Unit;

/// Lines of a file that are looked at for what it is.
const LOOKED_AT: usize = 200;

/// Files of `/proc` by the names that they have memory under, which is in kB there.
const OF_PROC: [(&str, &str); 2] = [("VmRSS:", "/proc/PID/status"), ("Rss:", "/proc/PID/smaps_rollup")];

/// The readings of a text of pairs, if it is one.
pub(super) fn pairs(text: &str) -> Option<Table> {
    let lines = text.lines().take(LOOKED_AT).map(str::trim);
    if lines.clone().any(|line| line.ends_with("=>")) {
        return promtool(text);
    }
    if let Some((key, format)) = OF_PROC.into_iter().find(|(key, _)| lines.clone().any(|line| line.contains(key))) {
        return Some(of_proc(text, key, format));
    }
    if text.lines().take(LOOKED_AT).any(|line| line.starts_with("MemAvailable:")) {
        return Some(meminfo(text));
    }
    metrics(text)
}

/// Where in the text a reading stands.
struct Reading<'t> {
    line: u64,
    time: &'t str,
    turn: usize,
}

/// A table of what was read, with its moments if each has one.
fn table(format: &'static str, memory: Column, rows: &[(Reading<'_>, [String; 3])]) -> Table {
    let timed = rows.iter().all(|(reading, _)| !reading.time.is_empty());
    let when = if timed { Column::of(Role::Time, "time") } else { Column::of(Role::Turn, "time") };
    let columns = vec![when, Column::of(Role::Label, "series"), Column::of(Role::Life, "process"), memory];
    let mut table = Table::new(format, columns);
    for (reading, [label, life, memory]) in rows {
        let turn = reading.turn.to_string();
        let when = if timed { reading.time } else { turn.as_str() };
        table.push(reading.line, [when, label, life, memory]);
    }
    table
}

fn of_proc(text: &str, key: &str, format: &'static str) -> Table {
    let (mut now, mut name, mut pid) = ("", "", "");
    let mut known = None;
    let mut rows = Vec::new();
    for (line, row) in (1..).zip(text.lines()) {
        let row = row.trim();
        if is_moment(row) {
            now = row;
            continue;
        }
        let (leading, rest) = leading_moment(row, &mut known);
        now = leading.unwrap_or(now);
        // A grep over several files puts their names before.
        let Some((_, found)) = rest.split_once(key).filter(|(before, _)| before.is_empty() || before.ends_with(':'))
        else {
            if let Some(of) = rest.strip_prefix("Name:") {
                name = of.trim();
            } else if let Some(of) = rest.strip_prefix("Pid:") {
                pid = of.trim();
            }
            continue;
        };
        let memory = found.trim().trim_end_matches("kB").trim().to_owned();
        rows.push((Reading { line, time: now, turn: rows.len() }, [name.to_owned(), pid.to_owned(), memory]));
    }
    table(format, Column { unit: Some(Unit::KIB), ..Column::of(Role::Memory, key.trim_end_matches(':')) }, &rows)
}

fn meminfo(text: &str) -> Table {
    let (mut now, mut total) = ("", 0.0);
    let mut rows = Vec::new();
    for (line, row) in (1..).zip(text.lines()) {
        let kib = |key: &str| row.trim().strip_prefix(key)?.trim().trim_end_matches("kB").trim().parse::<f64>().ok();
        if is_moment(row) {
            now = row.trim();
        } else if let Some(kib) = kib("MemTotal:") {
            total = kib;
        } else if let Some(available) = kib("MemAvailable:") {
            let in_use = (total - available).to_string();
            rows.push((Reading { line, time: now, turn: rows.len() }, [String::new(), String::new(), in_use]));
        }
    }
    let memory = Column { unit: Some(Unit::KIB), ..Column::of(Role::Memory, "MemTotal - MemAvailable") };
    let mut table = table("/proc/meminfo", memory, &rows);
    table.remarks.push("memory of the whole host, and of no single process".to_owned());
    table
}

/// `name{labels} value [milliseconds]`, of the metric that is most surely memory.
fn metrics(text: &str) -> Option<Table> {
    let names = text.lines().take(LOOKED_AT * 50).filter_map(|line| sample(line.trim()));
    let rank = |name: &str| memory_rank(name).filter(|_| name.contains('_'));
    let (_, best) = names.filter_map(|(name, ..)| Some((rank(name)?, name))).min()?;
    let best = best.split('{').next()?.to_owned();
    let mut now = "";
    let mut turn = 0;
    let mut seen: Vec<&str> = Vec::new();
    let mut rows = Vec::new();
    for (line, row) in (1..).zip(text.lines()) {
        let row = row.trim();
        if is_moment(row) {
            now = row;
            seen.clear();
            turn += 1;
            continue;
        }
        let Some((name, value, at)) = sample(row).filter(|(name, ..)| name.split('{').next() == Some(&best)) else {
            continue;
        };
        if seen.contains(&name) {
            seen.clear();
            turn += 1;
        }
        seen.push(name);
        let time = at.unwrap_or(now);
        rows.push((Reading { line, time, turn }, [name.to_owned(), String::new(), value.to_owned()]));
    }
    Some(table(
        "metrics of Prometheus",
        Column { unit: Unit::of_name(&best), ..Column::of(Role::Memory, &best) },
        &rows,
    ))
}

/// A line of the text format.
fn sample(line: &str) -> Option<(&str, &str, Option<&str>)> {
    if !line.starts_with(|c: char| c.is_ascii_alphabetic()) || line.contains(',') && !line.contains('{') {
        return None;
    }
    let end = line.rfind('}').map_or_else(|| line.find(' '), |brace| Some(brace + 1))?;
    let (name, rest) = line.split_at(end);
    let mut words = rest.split_whitespace();
    let value = words.next()?;
    let at = words.next();
    let is_sample = value.parse::<f64>().is_ok() && at.is_none_or(|at| at.parse::<u64>().is_ok());
    (is_sample && words.next().is_none()).then_some((name, value, at))
}

/// `{labels} =>` and below it `value @[seconds]` for each moment.
fn promtool(text: &str) -> Option<Table> {
    let mut label = "";
    let mut rows = Vec::new();
    for (line, row) in (1..).zip(text.lines()) {
        let row = row.trim();
        if let Some(metric) = row.strip_suffix("=>") {
            label = metric.trim();
        } else if let Some((value, at)) = row.split_once("@[") {
            let time = at.trim_end_matches(']');
            rows.push((Reading { line, time, turn: 0 }, [label.to_owned(), String::new(), value.trim().to_owned()]));
        }
    }
    (!rows.is_empty()).then(|| table("output of promtool query", Column::of(Role::Memory, "value"), &rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        let table = pairs(text).expect("pairs");
        let row = |nth| (0..4).map(|column| table.cell(nth, column).to_owned()).collect::<Vec<_>>().join("|");
        std::iter::once(table.format.to_owned()).chain((0..table.rows()).map(row)).collect()
    }

    #[test]
    fn files_of_proc_are_read_in_loops() {
        let status = "2026-11-02 08:00:00\nName:\tserver\nPid:\t77\nVmPeak:\t  900 kB\nVmRSS:\t   800 kB\n";
        assert_eq!(read(status), ["/proc/PID/status", "2026-11-02 08:00:00|server|77|800"]);
        let grep = "1790000000 VmRSS:\t 800 kB\n1790000005 VmRSS:\t 804 kB\n";
        assert_eq!(read(grep), ["/proc/PID/status", "1790000000|||800", "1790000005|||804"]);
        let rollup = "08:00:00\n55d0-7ffe ---p 00000000 00:00 0 [rollup]\nRss:  900 kB\nPss:  800 kB\nPss_Anon: 1 kB\n";
        assert_eq!(read(rollup), ["/proc/PID/smaps_rollup", "08:00:00|||900"]);
        let meminfo = "08:00:00\nMemTotal: 1000 kB\nMemFree: 10 kB\nMemAvailable: 300 kB\n";
        assert_eq!(read(meminfo), ["/proc/meminfo", "08:00:00|||700"]);
    }

    #[test]
    fn metrics_are_read_in_loops() {
        let scrape = "# TYPE go_memstats_alloc_bytes_total counter\ngo_memstats_alloc_bytes_total 5e9\n\
                      process_resident_memory_bytes 1.5e+07\nprocess_virtual_memory_bytes 9e9\n";
        let text = format!("1790000000\n{scrape}1790000010\n{scrape}");
        let row = |at| format!("{at}|process_resident_memory_bytes||1.5e+07");
        assert_eq!(read(&text), ["metrics of Prometheus".to_owned(), row(1_790_000_000), row(1_790_000_010)]);
        assert_eq!(read(scrape)[1], "0|process_resident_memory_bytes||1.5e+07");
    }

    #[test]
    fn what_promtool_prints_is_read() {
        let text = "x_bytes{pod=\"a\"} =>\n1048576 @[1790000000]\n2097152 @[1790000015]\n";
        assert_eq!(
            read(text)[1..],
            ["1790000000|x_bytes{pod=\"a\"}||1048576", "1790000015|x_bytes{pod=\"a\"}||2097152"]
        );
    }
}
