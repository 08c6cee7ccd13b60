//! JSON: what Prometheus, `VictoriaMetrics`, Grafana and Graphite answer, arrays of records, and a record a line.

use serde_json::{Map, Value};

use super::refusal::{Refusal, repeated};
use super::table::{Column, Role, Table};
use super::unit::Unit;

/// Most keys of records that become columns.
const MOST_KEYS: usize = 256;

/// Levels of records in records that are looked into.
const DEEPEST: usize = 6;

/// Whether a text begins as JSON does. A line in brackets may be a time stamp.
pub(super) fn is_json(text: &str) -> bool {
    let mut parts = text.trim_start().chars().filter(|c| !c.is_whitespace());
    match (parts.next(), parts.next()) {
        (Some('{'), next) => matches!(next, None | Some('"' | '}')),
        (Some('['), next) => matches!(next, None | Some('{' | '[' | ']')),
        _ => false,
    }
}

/// The readings in a JSON text.
pub(super) fn json(text: &str) -> Result<Table, Refusal> {
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        return document(&value);
    }
    let mut records = Vec::new();
    for (line, row) in (1..).zip(text.lines()) {
        // Loops print other lines between them, and colours of `docker stats`.
        let row = row.trim();
        if row.is_empty() {
            continue;
        }
        let record = serde_json::from_str::<Value>(row);
        let record = record.map_err(|error| Refusal::Json { line, what: repeated(&error.to_string()) })?;
        records.push((line, record));
    }
    if records.iter().all(|(_, record)| record.get("metric").is_some() && record.get("timestamps").is_some()) {
        return Ok(victoria(&records));
    }
    Ok(table("JSON lines", records.iter().map(|(line, record)| (*line, record))))
}

/// One document.
fn document(value: &Value) -> Result<Table, Refusal> {
    if let Some(message) = value.get("error").and_then(Value::as_str) {
        return Err(Refusal::OtherJson(format!("it is the answer of a query that failed: {}", repeated(message))));
    }
    if let Some(result) = value.pointer("/data/result").and_then(Value::as_array) {
        return prometheus(result);
    }
    if let Some(results) = value.get("results").and_then(Value::as_object) {
        return Ok(grafana(results.values()));
    }
    if let Some(datapoints) = value.get("Datapoints").and_then(Value::as_array) {
        return Ok(table("metrics of CloudWatch", datapoints.iter().map(|point| (1, point))));
    }
    match value.as_array() {
        Some(all) if all.iter().all(|one| one.get("values").is_some() && one.get("metric").is_some()) => {
            prometheus(all)
        }
        Some(all) if all.iter().all(|one| one.get("datapoints").is_some()) => Ok(graphite(all)),
        Some(all) => Ok(table("an array of JSON records", all.iter().map(|record| (1, record)))),
        None => Ok(table("JSON", std::iter::once((1, value)))),
    }
}

/// A table of moments, series and amounts.
fn series_table(format: &'static str) -> Table {
    let columns = [(Role::Time, "time"), (Role::Label, "series"), (Role::Memory, "value")];
    Table::new(format, columns.map(|(role, name)| Column::of(role, name)).to_vec())
}

/// A number as text, or a text as it is.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// The name of a series as Prometheus writes it.
fn metric(labels: Option<&Map<String, Value>>) -> String {
    let Some(labels) = labels else { return String::new() };
    let name = labels.get("__name__").and_then(Value::as_str).unwrap_or_default();
    let others = labels.iter().filter(|(key, _)| *key != "__name__");
    let pairs: Vec<String> =
        others.map(|(key, value)| format!("{key}=\"{}\"", value.as_str().unwrap_or_default())).collect();
    if pairs.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", pairs.join(", ")) }
}

fn prometheus(result: &[Value]) -> Result<Table, Refusal> {
    let mut table = series_table("an answer of Prometheus");
    for one in result {
        let name = metric(one.get("metric").and_then(Value::as_object));
        let Some(values) = one.get("values").and_then(Value::as_array) else {
            return Err(Refusal::OtherJson(
                "it is a query at one moment, with one reading of each series: ask /api/v1/query_range".to_owned(),
            ));
        };
        for pair in values {
            let (Some(at), Some(value)) = (pair.get(0).and_then(scalar), pair.get(1).and_then(scalar)) else {
                continue;
            };
            // A series that had ended.
            if value != "NaN" {
                table.push(1, [at.as_str(), name.as_str(), value.as_str()]);
            }
        }
    }
    Ok(table)
}

/// `/api/v1/export` of `VictoriaMetrics`: a line for each series, its moments in milliseconds.
fn victoria(records: &[(u64, Value)]) -> Table {
    let mut table = series_table("an export of VictoriaMetrics");
    for (line, record) in records {
        let name = metric(record.get("metric").and_then(Value::as_object));
        let all = |key: &str| record.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for (at, value) in all("timestamps").iter().zip(all("values")) {
            if let (Some(at), Some(value)) = (scalar(at), scalar(value)) {
                table.push(*line, [at.as_str(), name.as_str(), value.as_str()]);
            }
        }
    }
    table
}

/// `format=json` of Graphite, and what sources of Grafana answer: `[value, moment]`.
fn graphite(all: &[Value]) -> Table {
    let mut table = series_table("an answer of Graphite");
    for one in all {
        let name = one.get("target").and_then(Value::as_str).unwrap_or_default();
        for pair in one.get("datapoints").and_then(Value::as_array).into_iter().flatten() {
            if let (Some(value), Some(at)) = (pair.get(0).and_then(scalar), pair.get(1).and_then(scalar)) {
                table.push(1, [at.as_str(), name, value.as_str()]);
            }
        }
    }
    table
}

/// Frames of Grafana: fields with their names and labels, and a column of values for each.
fn grafana<'v>(results: impl Iterator<Item = &'v Value>) -> Table {
    let mut table = series_table("an answer of Grafana");
    let frames = results.filter_map(|result| result.get("frames")?.as_array()).flatten();
    for frame in frames {
        let all = |pointer: &str| frame.pointer(pointer).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let (fields, values) = (all("/schema/fields"), all("/data/values"));
        let Some(time) = fields.iter().position(|field| field.get("type").and_then(Value::as_str) == Some("time"))
        else {
            continue;
        };
        let moments = values.get(time).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for (nth, field) in fields.iter().enumerate().filter(|(nth, _)| *nth != time) {
            let shown = field.pointer("/config/displayNameFromDS").and_then(Value::as_str);
            let labels = field.get("labels").and_then(Value::as_object);
            let plain = || field.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let name =
                shown.map(str::to_owned).or_else(|| labels.map(|labels| metric(Some(labels)))).unwrap_or_else(plain);
            if field.pointer("/config/unit").and_then(Value::as_str).is_some_and(|unit| unit.contains("bytes")) {
                table.columns[2].unit = Some(Unit::BYTES);
            }
            for (at, value) in moments.iter().zip(values.get(nth).and_then(Value::as_array).into_iter().flatten()) {
                if let (Some(at), Some(value)) = (scalar(at), scalar(value)) {
                    table.push(1, [at.as_str(), name.as_str(), value.as_str()]);
                }
            }
        }
    }
    table
}

/// Records with the same keys, mostly, as a table of all their keys.
fn table<'v>(format: &'static str, records: impl Iterator<Item = (u64, &'v Value)> + Clone) -> Table {
    let mut names: Vec<String> = Vec::new();
    for (_, record) in records.clone() {
        each(record, "", 0, &mut |key, _| {
            if names.len() < MOST_KEYS && !names.iter().any(|name| name == key) {
                names.push(key.to_owned());
            }
        });
    }
    let mut table = Table::new(format, names.iter().map(|name| Column::named(name)).collect());
    for (line, record) in records {
        let mut cells = vec![String::new(); names.len()];
        each(record, "", 0, &mut |key, value| {
            if let Some(nth) = names.iter().position(|name| name == key) {
                cells[nth] = value;
            }
        });
        table.push(line, cells.iter().map(String::as_str));
    }
    table
}

/// Each figure or text of a record, by its path.
fn each(value: &Value, path: &str, depth: usize, found: &mut impl FnMut(&str, String)) {
    let Value::Object(fields) = value else {
        if let Some(text) = scalar(value) {
            found(if path.is_empty() { "value" } else { path }, text);
        }
        return;
    };
    for (key, value) in fields {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        if depth < DEEPEST {
            each(value, &path, depth + 1, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        let table = json(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let row = |nth| (0..table.columns.len()).map(|column| table.cell(nth, column)).collect::<Vec<_>>().join("|");
        std::iter::once(table.format.to_owned()).chain((0..table.rows()).map(row)).collect()
    }

    #[test]
    fn answers_of_monitoring_are_read() {
        let matrix = r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"rss_bytes",
            "job":"web"},"values":[[1790000000,"5"],[1790000015.5,"NaN"],[1790000030,"6"]]}]}}"#;
        let row = |at, value| format!("{at}|rss_bytes{{job=\"web\"}}|{value}");
        assert_eq!(read(matrix), ["an answer of Prometheus".to_owned(), row(1_790_000_000, 5), row(1_790_000_030, 6)]);
        let victoria =
            "{\"metric\":{\"__name__\":\"rss_bytes\"},\"values\":[5,6],\"timestamps\":[1790000000000,1790000015000]}\n";
        assert_eq!(read(&format!("{victoria}{victoria}"))[1], "1790000000000|rss_bytes|5");
        assert_eq!(
            read("[{\"target\":\"web\",\"datapoints\":[[5,1790000000],[null,1790000060]]}]")[1..],
            ["1790000000|web|5"]
        );
        let frames = r#"{"results":{"A":{"frames":[{"schema":{"fields":[{"name":"Time","type":"time"},
            {"name":"Value","type":"number","labels":{"pod":"a"}}]},"data":{"values":[[1790000000000],[5]]}}]}}}"#;
        assert_eq!(read(frames)[1..], ["1790000000000|{pod=\"a\"}|5"]);
    }

    #[test]
    fn records_become_columns_by_their_paths() {
        let lines = "{\"ts\":1,\"memory\":{\"rss\":5}}\n\n{\"ts\":2,\"memory\":{\"rss\":6},\"name\":\"a\"}\n";
        assert_eq!(read(lines), ["JSON lines", "5|1|", "6|2|a"]);
        assert_eq!(read("[{\"ts\":1,\"rss\":5}]")[1..], ["5|1"]);
    }

    #[test]
    fn what_is_something_else_is_reported() {
        let error = |text: &str| json(text).expect_err(text).to_string();
        assert!(error("{\"a\":1}\n{\"a\":\n").starts_with("line 2: this is not whole JSON"));
        assert!(error("{\"status\":\"error\",\"error\":\"bad query\"}").contains("failed: bad query"));
        assert!(error("{\"data\":{\"result\":[{\"metric\":{},\"value\":[1,\"2\"]}]}}").contains("query_range"));
        assert!(is_json("{\"a\":1}") && is_json("[\n {") && !is_json("[2026-11-02 08:00:00] 5") && !is_json("{a} =>"));
    }
}
