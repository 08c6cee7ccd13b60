//! The `.dat` files of `memory_profiler` (`mprof run`): `MEM <MiB> <seconds since 1970>`, after a `CMDLINE` for each
//! process.

use super::refusal::{Refusal, repeated};
use super::table::{Column, Role, Table};
use super::unit::Unit;

/// Lines of a file that are looked at for what it is.
const LOOKED_AT: usize = 50;

/// Whether a text is one of these.
pub(super) fn is_mprof(text: &str) -> bool {
    text.lines().take(LOOKED_AT).any(|line| of_memory(line).is_some())
}

/// The MiB and the moment of a line.
fn of_memory(line: &str) -> Option<(&str, &str)> {
    let mut words = line.strip_prefix("MEM ")?.split_whitespace();
    let (memory, at) = (words.next()?, words.next()?);
    (memory.parse::<f64>().is_ok() && at.parse::<f64>().is_ok()).then_some((memory, at))
}

/// The readings of each process; its children, which `-C` and `-M` write, are series of their own.
pub(super) fn mprof(text: &str) -> Result<Table, Refusal> {
    let memory = Column { unit: Some(Unit::MIB), ..Column::of(Role::Memory, "MEM") };
    let columns =
        vec![Column::of(Role::Time, "time"), Column::of(Role::Label, "of"), Column::of(Role::Life, "process"), memory];
    let mut table = Table::new("a .dat file of memory_profiler", columns);
    let mut life = 0_u32;
    for (line, row) in (1..).zip(text.lines()) {
        let row = row.trim();
        if row.starts_with("CMDLINE") {
            life += 1;
        } else if let Some((memory, at)) = of_memory(row) {
            table.push(line, [at, "", life.to_string().as_str(), memory]);
        } else if let Some(rest) = row.strip_prefix("CHLD ") {
            // `CHLD <pid> <MiB> <seconds>`
            let words: Vec<&str> = rest.split_whitespace().collect();
            let &[pid, memory, at] = words.as_slice() else {
                return Err(Refusal::Number { line, text: repeated(row), hint: "" });
            };
            table.push(line, [at, format!("child {pid}").as_str(), pid, memory]);
        } else if row.starts_with("MEM") {
            return Err(Refusal::Number { line, text: repeated(row), hint: "" });
        }
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_line_begins_a_life() {
        let text = "CMDLINE a\nMEM 100.5 1790000000.5\nFUNC f 1 2 3 4\nCMDLINE a\nMEM 90.5 1790000100.5\nCHLD 7 3.5 1790000101\n";
        assert!(is_mprof(text));
        let table = mprof(text).expect("a table");
        let row = |nth| (0..4).map(|column| table.cell(nth, column).to_owned()).collect::<Vec<_>>().join("|");
        assert_eq!(row(0), "1790000000.5||1|100.5");
        assert_eq!(row(1), "1790000100.5||2|90.5");
        assert_eq!((row(2), table.line(2)), ("1790000101|child 7|7|3.5".to_owned(), 6));
    }

    #[test]
    fn a_broken_reading_is_reported_with_its_line() {
        let error = mprof("MEM 1 2\nMEM x y\n").expect_err("no number").to_string();
        assert_eq!(error, "line 2: \"MEM x y\" is not a number");
    }
}
