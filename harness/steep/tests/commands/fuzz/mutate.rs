//! Changes to inputs: of bytes, lines, numbers, texts in quotes, and with pieces of other inputs.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// Larger inputs than this are not made: what grows with the input shows in less.
const LARGEST: usize = 64 << 10;

/// Texts that often mean more than they should.
const NASTY: [&str; 40] = [
    "{{",
    "}}",
    "{{port}}",
    "{{{a}}}",
    "\"",
    "'",
    "\\",
    "\\u0000",
    "\0",
    "\n",
    "\r\n",
    "\u{1b}]52;c;eA==\u{7}",
    "\u{feff}",
    "\u{2028}",
    "é",
    "🦀",
    "../../x",
    "/",
    "",
    " ",
    "env",
    "none",
    "true",
    "null",
    "NaN",
    "inf",
    "-inf",
    "[",
    "]",
    "{",
    "}",
    "=",
    ":",
    ",",
    "#",
    "%",
    "%00",
    "%FF",
    "$ref",
    "127。0。0。1",
];

/// Numbers at the ends of what can be.
const NUMBERS: [&str; 24] = [
    "0",
    "-1",
    "1",
    "2",
    "7",
    "64",
    "255",
    "256",
    "65535",
    "65536",
    "1000000",
    "4294967296",
    "9007199254740991",
    "9007199254740992",
    "9223372036854775807",
    "9223372036854775808",
    "99999999999999999999999",
    "1e308",
    "1e309",
    "1e-320",
    "0.0000001",
    "-0.0",
    "0000",
    "9999",
];

/// Random choices that follow from a name and a number.
pub struct Random(ChaCha8Rng);

impl Random {
    pub fn of(name: &str, nth: u64) -> Self {
        let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3) // FNV-1a
        });
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(nth);
        Self(random)
    }

    /// A number below `bound`, or 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.0.next_u64() % bound.max(1) as u64) as usize
    }

    pub fn pick<'l, T>(&mut self, list: &'l [T]) -> &'l T {
        &list[self.below(list.len())]
    }

    pub fn number(&mut self) -> &'static str {
        self.pick::<&str>(&NUMBERS)
    }

    pub fn nasty(&mut self) -> &'static str {
        self.pick::<&str>(&NASTY)
    }

    /// A short name, now and then a nasty text.
    pub fn name(&mut self) -> String {
        match self.below(12) {
            0 => self.nasty().to_owned(),
            1 => "n".repeat(1 + self.below(300)),
            _ => ["a", "b", "id", "user", "cache", "x-y", "page", "item_id", "env", "é"][self.below(10)].to_owned(),
        }
    }
}

/// `input` with a few changes, in which `tokens` and pieces of `others` may come.
pub fn mutated(mut input: Vec<u8>, others: &[Vec<u8>], tokens: &[String], random: &mut Random) -> Vec<u8> {
    for _ in 0..=random.below(6) {
        change(&mut input, others, tokens, random);
        input.truncate(LARGEST);
    }
    input
}

fn change(input: &mut Vec<u8>, others: &[Vec<u8>], tokens: &[String], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = (at + 1 + random.below(20)).min(input.len());
    match random.below(14) {
        0 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => drop(input.drain(at..end)),
        2 => insert(input, at, random.nasty().as_bytes()),
        3 if !tokens.is_empty() => insert(input, at, random.pick(tokens).clone().as_bytes()),
        4 => {
            let piece = input[at..end].to_vec();
            let times = [1, 2, 10, 200][random.below(4)];
            insert(input, at, &piece.repeat(times));
        }
        5 => {
            let other = random.pick(others);
            let from = random.below(other.len() + 1);
            let to = (from + random.below(200)).min(other.len());
            insert(input, at, &other[from..to]);
        }
        6 => input.truncate(at),
        7 | 8 => {
            let spans = spans(input, |byte| byte.is_ascii_digit() || byte == b'.');
            replace(input, &spans, random.number().as_bytes().to_vec(), random);
        }
        9 | 10 => {
            let inside = quoted(input);
            let text = if random.below(3) == 0 {
                random.pick(tokens.get(..).filter(|t| !t.is_empty()).unwrap_or(&[String::new()])).clone()
            } else {
                random.nasty().to_owned()
            };
            replace(input, &inside, text.into_bytes(), random);
        }
        11 => lines(input, random, |lines, one, other| lines.swap(one, other)),
        12 => lines(input, random, |lines, one, other| {
            let line = lines[one].clone();
            lines.insert(other, line);
        }),
        _ => lines(input, random, |lines, one, _| drop(lines.remove(one))),
    }
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8]) {
    let room = LARGEST.saturating_sub(input.len());
    drop(input.splice(at..at, piece[..piece.len().min(room)].iter().copied()));
}

/// Runs of bytes of a kind.
fn spans(input: &[u8], is_of: impl Fn(u8) -> bool) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    let mut from = None;
    for (at, byte) in input.iter().copied().chain([0]).enumerate() {
        match (from, is_of(byte)) {
            (None, true) => from = Some(at),
            (Some(begin), false) => {
                spans.push((begin, at));
                from = None;
            }
            _ => {}
        }
    }
    spans
}

/// What stands between quotes.
fn quoted(input: &[u8]) -> Vec<(usize, usize)> {
    let quotes: Vec<usize> = input.iter().enumerate().filter(|(_, byte)| **byte == b'"').map(|(at, _)| at).collect();
    quotes.windows(2).map(|pair| (pair[0] + 1, pair[1])).collect()
}

fn replace(input: &mut Vec<u8>, spans: &[(usize, usize)], by: Vec<u8>, random: &mut Random) {
    if !spans.is_empty() {
        let (from, to) = *random.pick(spans);
        drop(input.splice(from..to, by));
    }
}

fn lines(input: &mut Vec<u8>, random: &mut Random, change: impl Fn(&mut Vec<Vec<u8>>, usize, usize)) {
    let mut lines: Vec<Vec<u8>> = input.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    if lines.is_empty() {
        return;
    }
    let (one, other) = (random.below(lines.len()), random.below(lines.len()));
    change(&mut lines, one, other);
    *input = lines.concat();
}
