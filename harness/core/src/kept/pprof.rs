//! The stacks as a profile that `go tool pprof`, Pyroscope, Parca and others read.
//!
//! The form is that of `profile.proto` (github.com/google/pprof), of which only the fields stand here that are written.
//! Functions and lines are in it, so that nobody needs the binary.

use std::collections::BTreeMap;

use prost::Message;

use super::{Frame, Series, Stack};

/// The kinds of values that a sample has, in the order of Go's own heap profiles: tools know them by these names.
const KINDS: [(&str, &str); 4] =
    [("alloc_objects", "count"), ("alloc_space", "bytes"), ("inuse_objects", "count"), ("inuse_space", "bytes")];

/// The profile as its bytes before compression: what was allocated since the start of the service, and what was alive
/// at the last snapshot. `at_ns` is when that was, nanoseconds since 1970.
#[must_use]
pub fn pprof(series: &Series, at_ns: i64) -> Vec<u8> {
    profile(series, at_ns).encode_to_vec()
}

fn profile(series: &Series, at_ns: i64) -> Profile {
    let mut texts = Texts::default();
    let kinds: Vec<ValueType> = KINDS.map(|(kind, unit)| texts.value_type(kind, unit)).into();
    let period_type = texts.value_type("space", "bytes");
    let default_sample_type = texts.number("inuse_space");
    let mapping: Vec<Mapping> = series.modules.iter().zip(1..).map(|(module, id)| texts.mapping(module, id)).collect();
    let (function, of_frame) = functions(&series.frames, &mut texts);
    let location = |(call, id): (&super::Call, u64)| Location {
        id,
        mapping_id: call.module.map_or(0, |module| module as u64 + 1),
        address: call.address,
        line: call.frames.iter().filter_map(|frame| line(series.frames.get(*frame)?, *of_frame.get(frame)?)).collect(),
    };
    let nanoseconds = |moment: &super::Moment| (moment.t_s.as_secs_f64() * 1e9) as i64;
    Profile {
        sample_type: kinds,
        sample: series
            .stacks
            .iter()
            .map(sample)
            .filter(|sample| sample.value.iter().any(|value| *value != 0))
            .collect(),
        mapping,
        location: series.calls.iter().zip(1..).map(location).collect(),
        function,
        time_nanos: at_ns,
        duration_nanos: series.snapshots.last().map_or(0, nanoseconds),
        period_type: Some(period_type),
        period: series.sample_every_bytes.cast_signed(),
        default_sample_type,
        string_table: texts.finish(),
    }
}

/// What `stack` comes to, in the order of [`KINDS`].
fn sample(stack: &Stack) -> Sample {
    let last = |values: &[f64]| values.last().copied().unwrap_or(0.0);
    let values =
        [last(&stack.allocated_objects), last(&stack.allocated_bytes), stack.live_objects, last(&stack.live_bytes)];
    Sample {
        location_id: stack.calls.iter().map(|call| *call as u64 + 1).collect(),
        value: values.map(|value| value.round() as i64).into(),
    }
}

/// The functions of `frames`, and the number of each by that of its frame: a function has several frames, one for each
/// line that calls.
fn functions(frames: &[Frame], texts: &mut Texts) -> (Vec<Function>, BTreeMap<usize, u64>) {
    let mut known: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut functions = Vec::new();
    let mut of_frame = BTreeMap::new();
    for (number, frame) in frames.iter().enumerate() {
        let next = known.len() as u64 + 1;
        let id = *known.entry((&frame.function, &frame.file)).or_insert(next);
        if id == next {
            let (name, filename) = (texts.number(&frame.function), texts.number(&frame.file));
            functions.push(Function { id, name, system_name: name, filename });
        }
        of_frame.insert(number, id);
    }
    (functions, of_frame)
}

/// None where nothing is known: the address stands for it.
fn line(frame: &Frame, function_id: u64) -> Option<Line> {
    (!frame.function.is_empty()).then(|| Line { function_id, line: i64::from(frame.line) })
}

/// The texts, each once; the first is the empty one.
#[derive(Default)]
struct Texts {
    numbers: BTreeMap<String, i64>,
    texts: Vec<String>,
}

impl Texts {
    fn number(&mut self, text: &str) -> i64 {
        if self.texts.is_empty() {
            self.texts.push(String::new());
            self.numbers.insert(String::new(), 0);
        }
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = i64::try_from(self.texts.len()).unwrap_or(0);
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }

    fn value_type(&mut self, kind: &str, unit: &str) -> ValueType {
        ValueType { kind: self.number(kind), unit: self.number(unit) }
    }

    fn mapping(&mut self, module: &super::Module, id: u64) -> Mapping {
        Mapping {
            id,
            memory_start: module.start,
            memory_limit: module.end,
            file_offset: module.offset,
            filename: self.number(&module.file),
            build_id: self.number(&module.build_id),
            has_functions: true,
            has_filenames: true,
            has_line_numbers: true,
            has_inline_frames: true,
        }
    }

    fn finish(self) -> Vec<String> {
        self.texts
    }
}

#[derive(Clone, PartialEq, Message)]
struct Profile {
    #[prost(message, repeated, tag = "1")]
    sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    sample: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    mapping: Vec<Mapping>,
    #[prost(message, repeated, tag = "4")]
    location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    function: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    string_table: Vec<String>,
    #[prost(int64, tag = "9")]
    time_nanos: i64,
    #[prost(int64, tag = "10")]
    duration_nanos: i64,
    #[prost(message, optional, tag = "11")]
    period_type: Option<ValueType>,
    #[prost(int64, tag = "12")]
    period: i64,
    #[prost(int64, tag = "14")]
    default_sample_type: i64,
}

#[derive(Clone, PartialEq, Message)]
struct ValueType {
    #[prost(int64, tag = "1")]
    kind: i64,
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(uint64, repeated, tag = "1")]
    location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    value: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
#[expect(clippy::struct_excessive_bools, reason = "the form is another's")]
struct Mapping {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "2")]
    memory_start: u64,
    #[prost(uint64, tag = "3")]
    memory_limit: u64,
    #[prost(uint64, tag = "4")]
    file_offset: u64,
    #[prost(int64, tag = "5")]
    filename: i64,
    #[prost(int64, tag = "6")]
    build_id: i64,
    #[prost(bool, tag = "7")]
    has_functions: bool,
    #[prost(bool, tag = "8")]
    has_filenames: bool,
    #[prost(bool, tag = "9")]
    has_line_numbers: bool,
    #[prost(bool, tag = "10")]
    has_inline_frames: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "2")]
    mapping_id: u64,
    #[prost(uint64, tag = "3")]
    address: u64,
    #[prost(message, repeated, tag = "4")]
    line: Vec<Line>,
}

#[derive(Clone, PartialEq, Message)]
struct Line {
    #[prost(uint64, tag = "1")]
    function_id: u64,
    #[prost(int64, tag = "2")]
    line: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
    #[prost(int64, tag = "3")]
    system_name: i64,
    #[prost(int64, tag = "4")]
    filename: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kept::{Call, Module};

    fn series() -> Series {
        let frame = |function: &str, file: &str, line| Frame {
            function: function.to_owned(),
            file: file.to_owned(),
            line,
            is_own: true,
        };
        Series {
            sample_every_bytes: 65_536,
            frames: vec![
                frame("open", "src/sessions.rs", 118),
                frame("login", "src/sessions.rs", 54),
                Frame::default(),
            ],
            modules: vec![Module {
                file: "/bin/shop".to_owned(),
                build_id: "ab12".to_owned(),
                start: 4096,
                end: 8192,
                offset: 4096,
            }],
            calls: vec![
                Call { module: Some(0), address: 4_200, frames: vec![0, 1] },
                Call { module: None, address: 77, frames: vec![2] },
            ],
            stacks: vec![
                Stack {
                    frames: vec![0, 1, 2],
                    calls: vec![0, 1],
                    live_bytes: vec![10.0, 100.4],
                    allocated_bytes: vec![20.0, 300.0],
                    allocated_objects: vec![2.0, 3.0],
                    live_objects: 1.0,
                    ..Stack::default()
                },
                Stack { frames: vec![0], calls: vec![0], live_bytes: vec![0.0, 0.0], ..Stack::default() },
            ],
            ..Series::default()
        }
    }

    #[test]
    fn a_profile_has_what_is_alive_with_functions_files_and_lines() {
        let bytes = pprof(&series(), 5);
        let read = Profile::decode(&*bytes).expect("a profile");
        let text = |number: i64| read.string_table[usize::try_from(number).expect("a number")].as_str();
        assert_eq!((read.string_table[0].as_str(), read.time_nanos, read.period), ("", 5, 65_536));
        assert_eq!(
            read.sample_type.iter().map(|kind| text(kind.kind)).collect::<Vec<_>>(),
            KINDS.map(|(kind, _)| kind)
        );
        // What never held anything says nothing.
        assert_eq!(read.sample, [Sample { location_id: vec![1, 2], value: vec![3, 300, 1, 100] }]);
        let inlined = &read.location[0];
        let of = |line: &Line| {
            let function = &read.function[usize::try_from(line.function_id).expect("a number") - 1];
            (text(function.name), text(function.filename), line.line)
        };
        assert_eq!(
            inlined.line.iter().map(of).collect::<Vec<_>>(),
            [("open", "src/sessions.rs", 118), ("login", "src/sessions.rs", 54)]
        );
        assert_eq!(read.location[1].line, [], "an address of which nothing is known");
        let mapping = &read.mapping[0];
        assert_eq!((inlined.mapping_id, text(mapping.filename), text(mapping.build_id)), (1, "/bin/shop", "ab12"));
        assert!((mapping.memory_start..mapping.memory_limit).contains(&inlined.address));
    }

    #[test]
    fn nothing_is_a_profile_as_well() {
        let read = Profile::decode(&*pprof(&Series::default(), 0)).expect("a profile");
        assert_eq!((read.sample.len(), read.sample_type.len()), (0, 4));
    }
}
