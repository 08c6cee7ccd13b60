//! An access log as a draft of a scenario: line by line, in bounded memory, whatever the lines are.

use thiserror::Error;

use super::draft::{Draft, Load};
use super::line::Line;
use super::rates::{Curve, Rates};
use super::requests::{Picked, percent, requests};
use super::routes::{Learned, Routes};
use crate::scenario::rates::HIGHEST_RATE;
use steep_judge::units::counted;

/// The longest line that is read. Servers refuse requests of more than some KiB.
pub const LONGEST_LINE: usize = 64 << 10;

/// A log that is shorter has no curve of rates worth following.
const SHORTEST_CURVE_S: u64 = 120;

/// Characters of a broken line that are shown.
const SHOWN: usize = 120;

/// Methods that a scenario can have.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// What a line should look like.
const EXAMPLE: &str = "203.0.113.7 - - [10/Oct/2026:13:55:36 +0000] \"GET /items/7 HTTP/1.1\" 200 2326";

/// An access log, as far as it was read.
#[derive(Debug)]
pub struct AccessLog {
    counts: Counts,
    first_broken: Option<(u64, String)>,
    rates: Rates,
    routes: Routes,
}

/// Lines, by what they were.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    lines: u64,
    /// In no format that is known.
    broken: u64,
    /// Without a request for a path.
    nothing: u64,
    /// Of methods that a scenario cannot have.
    other_method: u64,
    /// Answered with a status from 400 up.
    failed: u64,
    /// For more routes than are kept.
    too_many: u64,
}

/// What a log comes to.
#[derive(Debug)]
pub struct Import {
    /// The scenario.
    pub draft: Draft,
    /// The rates that belong beside it, if it follows them.
    pub curve: Option<Curve>,
    /// What was read and what was left out, line by line.
    pub said: Vec<String>,
}

/// A log that no scenario can be made from.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum AccessLogError {
    /// There is no line in it.
    #[error("the log is empty; a line of it looks like this:\n  {EXAMPLE}")]
    Empty,
    /// Most lines are something else.
    #[error(
        "{broken} of {lines} lines are not in the common or combined format of nginx and Apache; line {first} is\n  {shown}\nand should look like this:\n  {EXAMPLE}"
    )]
    Broken {
        /// How many.
        broken: u64,
        /// Of how many.
        lines: u64,
        /// The first of them, from 1.
        first: u64,
        /// What it says.
        shown: String,
    },
    /// No route is left.
    #[error("nothing to send: no route has 0.1 % of the requests that were answered with a status below 400\n{0}")]
    NoRoute(String),
}

impl Default for AccessLog {
    fn default() -> Self {
        Self { counts: Counts::default(), first_broken: None, rates: Rates::new(), routes: Routes::default() }
    }
}

impl AccessLog {
    /// Reads a line. Of one that is longer than [`LONGEST_LINE`] only that much need be given.
    pub fn read(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            return;
        }
        self.counts.lines += 1;
        let Some(line) = Line::parse(text).filter(|_| line.len() < LONGEST_LINE) else {
            self.counts.broken += 1;
            self.first_broken.get_or_insert_with(|| (self.counts.lines, text.chars().take(SHOWN).collect()));
            return;
        };
        let Some(asked) = line.asked else {
            self.counts.nothing += 1;
            return;
        };
        // What fails or is rare is load, too.
        self.rates.count(line.at_s);
        if !METHODS.contains(&asked.method.as_ref()) {
            self.counts.other_method += 1;
            return;
        }
        match self.routes.learn(&asked.method, &asked.target, line.status) {
            Learned::Yes => {}
            Learned::Failed => self.counts.failed += 1,
            Learned::TooMany => self.counts.too_many += 1,
        }
    }

    /// The scenario `name` for a service at `url`. With `curve_path` it follows the rates of the log, which the caller
    /// writes there; without, it has their mean.
    ///
    /// # Errors
    /// See [`AccessLogError`].
    pub fn finish(self, name: String, url: String, curve_path: Option<&str>) -> Result<Import, AccessLogError> {
        let Counts { lines, broken, .. } = self.counts;
        if lines == 0 {
            return Err(AccessLogError::Empty);
        }
        if let Some((first, shown)) = self.first_broken.filter(|_| broken > lines / 2) {
            let printable = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
            let shown = shown.chars().map(printable).collect();
            return Err(AccessLogError::Broken { broken, lines, first, shown });
        }
        let picked = requests(&self.routes);
        let said = self.counts.said(&picked);
        let Some(curve) = self.rates.curve().filter(|_| !picked.requests.is_empty()) else {
            return Err(AccessLogError::NoRoute(said.join("\n")));
        };
        let mut notes = vec!["From an access log, by `steep import access-log`.".to_owned()];
        notes.extend(said.iter().cloned());
        notes.push("Weights are percent of the requests that were answered with a status below 400. Values in [params] are from the log: ids exist where it was written, and names may be private.".to_owned());
        let mut said = said;
        said.extend(stray(&curve));
        said.extend(outside(&curve));
        let (load, curve) = load(curve, curve_path);
        let Picked { requests, params, .. } = picked;
        Ok(Import { draft: Draft { name, notes, url, load, requests, params }, curve, said })
    }
}

fn stray(curve: &Curve) -> Option<String> {
    let Curve { stray, .. } = curve;
    (*stray > 0).then(|| {
        format!("{} left out of the rates: more than a day away from all others", counted(*stray as usize, "request"))
    })
}

fn outside(curve: &Curve) -> Option<String> {
    let Curve { outside, duration_s, .. } = curve;
    (*outside > 0).then(|| {
        let days = duration_s.div_ceil(24 * 3600);
        let outside = counted(*outside as usize, "request");
        format!("{outside} left out of the rates: a phase lasts at most 30 days, and the {days} days with the most requests were taken")
    })
}

/// The load that does as the log did, and the curve if it is needed for it.
fn load(curve: Curve, path: Option<&str>) -> (Load, Option<Curve>) {
    let Curve { requests, duration_s, step_s, .. } = curve;
    let (mean, peak) = (curve.mean_rate(), curve.peak_rate());
    let had = format!("The log has {} in {duration_s} s: {mean:.3} per second", counted(requests as usize, "request"));
    let Some(path) = path.filter(|_| duration_s >= SHORTEST_CURVE_S) else {
        let rate = ((mean * 1e3).ceil() / 1e3).min(HIGHEST_RATE);
        return (Load::Constant { rate, note: format!("{had} on average, which is held here.") }, None);
    };
    let note = format!(
        "{had} on average and {peak:.3} at most, over {step_s} s each. A shorter duration follows the beginning only; \
         the rates are in {path}, to be scaled there."
    );
    (Load::FromFile { path: path.to_owned(), duration_s, note }, Some(curve))
}

impl Counts {
    /// What was read, what was kept, and what was left out for which reason.
    fn said(&self, picked: &Picked) -> Vec<String> {
        let Self { lines, broken, nothing, other_method, failed, too_many } = *self;
        let answered = lines - broken - nothing - other_method - failed;
        let mut said = vec![format!(
            "{} read: {} stand for {} of the {answered} requests that were answered with a status below 400 ({} %).",
            counted(lines as usize, "line"),
            counted(picked.requests.len(), "route"),
            picked.kept,
            percent(picked.kept, answered),
        )];
        let mut left_out = |count: u64, what: &str| {
            if count > 0 {
                said.push(format!("Left out: {count} ({} %) {what}.", percent(count, lines)));
            }
        };
        left_out(failed, "answered with a status from 400 up");
        left_out(picked.rare.1, &format!("to {} with less than 0.1 % each", counted(picked.rare.0, "rare route")));
        left_out(picked.long, "to paths that are longer than most servers take");
        left_out(too_many, "to more routes than are kept apart");
        left_out(other_method, "with methods that a scenario cannot have");
        left_out(nothing, "without a request of HTTP/1 for a path");
        left_out(broken, "broken, or in another format");
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::scenario_text;

    fn line(second: u64, request: &str, status: u16) -> String {
        let (minute, second) = (second / 60, second % 60);
        format!(
            "203.0.113.7 - - [10/Oct/2026:13:{minute:02}:{second:02} +0000] \"{request} HTTP/1.1\" {status} 5 \"-\" \"x\"\n"
        )
    }

    /// Ten minutes of a shop.
    fn shop() -> AccessLog {
        let mut log = AccessLog::default();
        for nth in 0..3000_u64 {
            let second = nth / 5;
            let asked = match nth % 10 {
                0..=5 => line(second, &format!("GET /items/{}", 1 + nth * 7 % 500), 200),
                6 => line(second, "POST /orders", 201),
                7 => line(second, &format!("GET /items?page={}", nth % 7), 200),
                8 => line(second, &format!("GET /static/app.{nth:x}.js"), if nth % 20 == 8 { 304 } else { 200 }),
                _ => line(second, "GET /wp-login.php", 404),
            };
            log.read(asked.as_bytes());
        }
        log.read(line(1, "PROPFIND /", 207).as_bytes());
        log.read(b"half a li\n");
        log.read(b"\n");
        log.read(b"::1 - - [10/Oct/2026:13:00:00 +0000] \"\\x16\\x03\" 400 0\n");
        log
    }

    fn made(log: AccessLog, curve_path: Option<&str>) -> Import {
        log.finish("shop".to_owned(), "http://127.0.0.1:{{port}}".to_owned(), curve_path).expect("a scenario")
    }

    #[test]
    fn a_log_becomes_a_scenario() {
        let import = made(shop(), Some("shop.rates.csv"));
        insta::assert_snapshot!(format!("{}\n\n{}", import.said.join("\n"), scenario_text(&import.draft)));
        let curve = import.curve.expect("a curve");
        assert_eq!((curve.duration_s, curve.requests), (600, 3001));
    }

    #[test]
    fn without_a_place_for_the_rates_or_in_a_short_log_the_mean_is_held() {
        let import = made(shop(), None);
        let Load::Constant { rate, .. } = import.draft.load else { panic!("{:?}", import.draft.load) };
        assert!((rate - 5.002).abs() < 0.0005 && import.curve.is_none(), "{rate}");
        let mut short = AccessLog::default();
        (0..60).for_each(|second| short.read(line(second, "GET /", 200).as_bytes()));
        assert!(matches!(made(short, Some("x.csv")).draft.load, Load::Constant { .. }));
    }

    #[test]
    fn logs_without_anything_usable_say_what_is_wanted() {
        let said = |lines: &[&[u8]]| {
            let mut log = AccessLog::default();
            for line in lines {
                log.read(line);
            }
            log.finish(String::new(), String::new(), None).expect_err("nothing").to_string()
        };
        insta::assert_snapshot!(
            [
                said(&[]),
                said(&[b"{\"status\":200}\n", b"\x00\xff\x1b[2J\n", line(0, "GET /", 200).as_bytes()]),
                said(&[line(0, "GET /", 500).as_bytes()]),
            ]
            .join("\n\n")
        );
    }

    #[test]
    fn a_line_without_end_is_broken_and_nothing_more() {
        let mut log = AccessLog::default();
        log.read(&line(0, &format!("GET /{}", "a".repeat(LONGEST_LINE)), 200).as_bytes()[..LONGEST_LINE]);
        (0..3).for_each(|second| log.read(line(second, "GET /", 200).as_bytes()));
        assert_eq!(made(log, None).draft.requests.len(), 1);
    }
}
