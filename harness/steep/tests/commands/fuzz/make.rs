//! Inputs made by their grammar: sound ones for the most part, with something odd here and there.

use std::fmt::Write as _;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};
use steep::shell::store::RunRecord;
use steep_core::plan::plan;
use steep_core::scenario::decode::decode;
use steep_core::scenario::keys::{Kind, Presence, keys};
use steep_core::scenario::package::Features;
use steep_core::scenario::{Scenario, Supplies};
use steep_core::sim::{SimService, soak};
use steep_core::trace::{Provenance, Record};
use steep_judge::units::Bytes;

use super::mutate::Random;

/// A scenario with nothing wrong.
pub const SOUND: &str = r#"name = "shop"

[service]
command = ["shop"]
url = "http://127.0.0.1:{{port}}"

[[phases]]
name = "steady"
role = "steady"
shape = "constant"
rate = 20
duration = "2m"

[[requests]]
name = "get"
path = "/items/{{id}}"

[params.id]
dist = "uniform"
min = 1
max = 9
"#;

/// A text of TOML.
fn text(random: &mut Random) -> String {
    format!("{:?}", random.name()).replace("\\u{", "\\\\u{").replace("\\'", "'").replace("\\0", "\\\\0")
}

fn value(kind: Kind, random: &mut Random) -> String {
    let list = |random: &mut Random, item: &mut dyn FnMut(&mut Random) -> String| {
        let items: Vec<String> = (0..random.below(4)).map(|_| item(random)).collect();
        format!("[{}]", items.join(", "))
    };
    let map = |random: &mut Random, item: &mut dyn FnMut(&mut Random) -> String| {
        let items: Vec<String> = (0..random.below(3)).map(|nth| format!("k{nth} = {}", item(random))).collect();
        format!("{{ {} }}", items.join(", "))
    };
    match kind {
        Kind::Boolean => ["true", "false"][random.below(2)].to_owned(),
        Kind::Integer(low, high) => match random.below(4) {
            0 => low.to_string(),
            1 => high.to_string(),
            2 => random.number().to_owned(),
            _ => (low + i64::try_from(random.below(20)).expect("small")).to_string(),
        },
        Kind::Number => [random.number(), "0.5", "10", "100"][random.below(4)].to_owned(),
        Kind::Numbers => list(random, &mut |random| random.number().to_owned()),
        Kind::Integers(low, _) => {
            list(random, &mut |random| (low + i64::try_from(random.below(300)).expect("small")).to_string())
        }
        Kind::Duration(..) => {
            ["\"1s\"", "\"90s\"", "\"5m\"", "\"2h 30m\"", "\"720h\"", "\"1ms\"", "\"0s\""][random.below(7)].to_owned()
        }
        Kind::Size => ["\"4B\"", "\"64KiB\"", "\"1GiB\"", "\"0B\"", "\"16EiB\""][random.below(5)].to_owned(),
        Kind::Date => ["\"2027-03-01\"", "\"0000-00-00\"", "\"9999-12-31\""][random.below(3)].to_owned(),
        Kind::Choice(values, later) => {
            let all: Vec<&str> = values.iter().chain(later).copied().collect();
            format!("{:?}", random.pick(&all))
        }
        Kind::Choices(values) => list(random, &mut |random| format!("{:?}", random.pick(values))),
        Kind::Texts | Kind::Templates | Kind::Scalars => list(random, &mut text),
        Kind::TextLists => list(random, &mut |random| format!("[{}, {}]", text(random), text(random))),
        Kind::TextMap | Kind::TemplateMap | Kind::ChoiceMap | Kind::JsonMap => map(random, &mut text),
        Kind::TextOrTexts => {
            if random.below(2) == 0 {
                text(random)
            } else {
                list(random, &mut text)
            }
        }
        Kind::Limit => ["0.01", "\"200ms\"", "\"1GiB\"", "5"][random.below(4)].to_owned(),
        Kind::Table | Kind::Tables | Kind::TableMap => "{}".to_owned(),
        _ => text(random),
    }
}

/// A scenario with any keys of the reference in it: those that are required, and some of the others.
pub fn scenario(random: &mut Random) -> String {
    let mut made = SOUND.to_owned();
    let tables: Vec<&str> = keys()
        .filter(|key| matches!(key.kind, Kind::Table | Kind::Tables | Kind::TableMap))
        .map(|key| key.path)
        .collect();
    for _ in 0..=random.below(3) {
        let table = *random.pick(&tables);
        let of = |suffix: &str| format!("{table}{suffix}.");
        let begins = [of(""), of("[]"), of(".*")];
        let own: Vec<_> = keys()
            .filter_map(|key| {
                let name = begins.iter().find_map(|begin| key.path.strip_prefix(begin.as_str()))?;
                (!name.contains(['.', '[', '*'])).then_some((name, key))
            })
            .collect();
        let path = table.replace("[]", "").replace(".*", ".any");
        let head = match keys().find(|key| key.path == table).map(|key| key.kind) {
            Some(Kind::Tables) => format!("\n[[{path}]]\n"),
            Some(Kind::TableMap) => format!("\n[{path}.{}]\n", ["a", "b", "id", "jemalloc"][random.below(4)]),
            _ => format!("\n[{path}]\n"),
        };
        made.push_str(&head);
        // What belongs to one value of a neighbour is given where that is the value.
        let mut chosen: Vec<(&str, String)> = Vec::new();
        for (name, key) in own {
            let fits = key.only.is_none_or(|(neighbour, values)| {
                chosen.iter().any(|(given, value)| *given == neighbour && values.contains(&value.trim_matches('"')))
            });
            let is_wanted =
                fits && (key.presence == Presence::Required || random.below(5) == 0) || random.below(60) == 0;
            if is_wanted {
                let value = value(key.kind, random);
                let _ = writeln!(made, "{name} = {value}");
                chosen.push((name, value));
            }
        }
    }
    made
}

/// A scenario with flags, axes, and constraints of every kind between them.
pub fn flags(random: &mut Random) -> String {
    let mut made = SOUND.to_owned();
    let (flags, axes) = (1 + random.below(14), 1 + random.below(3));
    let has_values: Vec<bool> = (0..flags).map(|_| random.below(6) == 0).collect();
    // Each once, and none of them the flag itself.
    let names = |random: &mut Random, most: usize, but: usize| {
        let mut chosen: Vec<usize> = (0..=random.below(most)).map(|_| random.below(flags)).collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen.retain(|flag| *flag != but);
        let names: Vec<String> =
            chosen
                .iter()
                .map(|flag| {
                    if has_values[*flag] && *flag % 2 == 0 {
                        format!("\"f{flag}=lru\"")
                    } else {
                        format!("\"f{flag}\"")
                    }
                })
                .collect();
        format!("[{}]", names.join(", "))
    };
    for (flag, has_values) in has_values.iter().enumerate() {
        let _ = writeln!(made, "\n[[flags]]\nname = \"f{flag}\"\nkind = \"env\"\nvar = \"F{flag}\"");
        if *has_values {
            made.push_str("values = [\"off\", \"lru\", \"arc\"]\n");
            continue;
        }
        match random.below(9) {
            0 => made.push_str("default = true\n"),
            1 => drop(writeln!(made, "group = \"g{}\"", random.below(2))),
            2..5 => drop(writeln!(made, "requires = {}", names(random, 2, flag))),
            5 => drop(writeln!(made, "conflicts_with = {}", names(random, 2, flag))),
            _ => {}
        }
    }
    for axis in 0..axes {
        let values: Vec<String> = (0..=random.below(4)).map(|value| format!("\"v{value}\"")).collect();
        let values = values.join(", ");
        let _ =
            writeln!(made, "\n[[axes]]\nname = \"a{axis}\"\nkind = \"env\"\nvar = \"A{axis}\"\nvalues = [{values}]");
    }
    let level = |random: &mut Random| {
        let flag = random.below(flags);
        let level = if has_values[flag] { "\"lru\"" } else { ["true", "false"][random.below(2)] };
        format!("f{flag} = {level}")
    };
    made.push_str("\n[constraints]\n");
    for key in ["mutually_exclusive", "at_least_one_of", "exactly_one_of"] {
        if random.below(3) == 0 {
            let lists: Vec<String> = (0..=random.below(2)).map(|_| names(random, 4, flags)).collect();
            let _ = writeln!(made, "{key} = [{}]", lists.join(", "));
        }
    }
    if random.below(4) == 0 {
        let _ = writeln!(made, "pinned = {{ {} }}", level(random));
    }
    for _ in 0..random.below(4) {
        let side = |random: &mut Random| match random.below(2) {
            0 => format!("{{ a{} = \"v0\" }}", random.below(axes)),
            _ => format!("{{ {} }}", level(random)),
        };
        let (when, then) = (side(random), side(random));
        let _ = writeln!(made, "\n[[rules]]\nwhen = {when}\nthen = {then}");
    }
    let strategies = ["off", "all", "default", "each", "leave-one-out", "pairwise", "screening", "full", "auto"];
    let strategy = *random.pick(&strategies);
    let _ = writeln!(made, "\n[plan]\nstrategy = {strategy:?}\nmax_cells = {}", [64, 200, 2000][random.below(3)]);
    if strategy == "pairwise" && random.below(2) == 0 {
        made.push_str("strength = 3\n");
    }
    for key in ["exclude", "include"] {
        if random.below(3) == 0 {
            let _ = writeln!(made, "{key} = [{{ flags = {} }}]", names(random, 3, flags));
        }
    }
    made
}

/// Lines of an access log.
pub fn access_log(random: &mut Random) -> String {
    let mut made = String::new();
    let year = [2026, 2026, 2026, 1970, 9999][random.below(5)];
    let (paths, spread) = (1 + random.below(6), [1, 1, 60, 3_600, 86_400][random.below(5)]);
    for nth in 0..random.below(120) {
        let at = nth * spread;
        let (day, hour, minute, second) = (1 + at / 86_400 % 28, at / 3_600 % 24, at / 60 % 60, at % 60);
        let month = ["Jan", "Feb", "Oct", "Dec"][at / 86_400 / 28 % 4];
        let year = if random.below(60) == 0 { random.below(10_000) } else { year };
        let zone = ["+0000", "-0700", "+1400", "+0530"][random.below(4)];
        let method = ["GET", "GET", "POST", "DELETE", "PROPFIND"][random.below(5)];
        let status = [200, 200, 200, 201, 304, 404, 500][random.below(7)];
        let mut path = format!("/p{}", random.below(paths));
        for _ in 0..random.below(3) {
            let segment = match random.below(4) {
                0 => nth.to_string(),
                1 => random.nasty().replace([' ', '\n', '"'], ""),
                2 => "x".repeat(random.below(40) * random.below(60)),
                _ => random.name(),
            };
            let _ = write!(path, "/{segment}");
        }
        for key in 0..random.below(3) {
            let value = if random.below(2) == 0 { random.nasty() } else { random.number() };
            let name = random.name();
            let _ = write!(path, "{}{name}={value}", if key == 0 { '?' } else { '&' });
        }
        let _ = writeln!(
            made,
            "10.0.0.{} - - [{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} {zone}] \"{method} {path} HTTP/1.1\" {status} {}",
            nth % 250,
            random.number()
        );
    }
    made
}

/// A schema of `OpenAPI`, which may refer to others.
fn schema(random: &mut Random, deep: usize) -> Value {
    let to = |random: &mut Random| json!({"$ref": format!("#/components/schemas/S{}", random.below(5))});
    let several = |random: &mut Random| (0..random.below(4)).map(|_| schema(random, deep + 1)).collect::<Vec<Value>>();
    if deep > 4 {
        return to(random);
    }
    match random.below(12) {
        0 => to(random),
        1 => json!({"allOf": several(random)}),
        2 => json!({"oneOf": several(random)}),
        3 => json!({"type": "array", "minItems": random.below(5), "items": schema(random, deep + 1)}),
        4 | 5 => {
            let properties: Map<String, Value> =
                (0..random.below(5)).map(|_| (random.name(), schema(random, deep + 1))).collect();
            let required: Vec<&String> = properties.keys().take(random.below(4)).collect();
            json!({"type": "object", "required": required, "properties": properties})
        }
        6 => json!({"enum": [random.name(), random.nasty(), random.below(9)]}),
        7 => json!({"type": "integer", "minimum": number(random), "maximum": number(random)}),
        8 => {
            json!({"type": "string", "format": (["uuid", "date", "email", "byte", "x"][random.below(5)]), "maxLength": random.below(99)})
        }
        9 => json!({"example": {random.name(): random.nasty()}}),
        10 => json!({"type": ["null", "boolean"]}),
        _ => json!({"type": "string", "default": random.nasty()}),
    }
}

fn number(random: &mut Random) -> Value {
    serde_json::from_str(random.number()).unwrap_or(Value::Null)
}

/// A description of `OpenAPI`.
pub fn openapi(random: &mut Random) -> String {
    let schemas: Map<String, Value> = (0..5).map(|nth| (format!("S{nth}"), schema(random, 1))).collect();
    let mut paths = Map::new();
    for _ in 0..=random.below(4) {
        let name = random.name();
        let mut item = Map::new();
        for method in ["get", "post", "put", "delete"].iter().take(1 + random.below(4)) {
            let parameters: Vec<Value> = (0..random.below(4))
                .map(|_| {
                    let place = ["path", "query", "header", "cookie"][random.below(4)];
                    json!({"name": random.name(), "in": place, "required": true, "schema": schema(random, 3)})
                })
                .collect();
            let kind = ["application/json", "application/{{x}}+json", "text/plain"][random.below(3)];
            let answered = ["200", "2XX", "default", "302"][random.below(4)];
            let operation = json!({
                "parameters": parameters,
                "requestBody": {"content": {kind: {"schema": schema(random, 0)}}},
                "responses": {answered: {}},
                "security": [{"key": []}],
            });
            item.insert((*method).to_owned(), operation);
        }
        paths.insert(format!("/{}/{{{name}}}", random.name()), Value::Object(item));
    }
    let key = json!({"type": "apiKey", "in": (["header", "query", "cookie"][random.below(3)]), "name": random.name()});
    let server = json!({"url": "https://{host}/{a}", "variables": {"host": {"default": random.nasty()}, "a": {"default": "{a}{a}"}}});
    let text = json!({
        "openapi": "3.0.3",
        "info": {"title": random.name()},
        "servers": [server],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"key": key}},
    });
    text.to_string()
}

fn sound() -> &'static Scenario {
    static SCENARIO: LazyLock<Scenario> = LazyLock::new(|| decode(SOUND).scenario.expect("a sound scenario"));
    &SCENARIO
}

/// One of a quarter of a minute: most traces of it are judged like those of hours, in a fraction of the time.
fn short() -> &'static Scenario {
    static SCENARIO: LazyLock<Scenario> = LazyLock::new(|| {
        let text = SOUND.replace("\"2m\"", "\"15s\"").replace("rate = 20", "rate = 2");
        decode(&text).scenario.expect("a sound scenario")
    });
    &SCENARIO
}

/// A trace of a simulated service.
pub fn trace(random: &mut Random) -> String {
    let scenario = if random.below(8) == 0 { sound() } else { short() };
    let service = SimService {
        leak_per_request: [0.0, 40.0, 4_000.0][random.below(3)],
        leak_per_second: [0.0, 0.0, 1_000.0][random.below(3)],
        cache: Bytes::mib(random.below(4) as u64),
        cache_per_request: 500.0,
        probe: random.below(2) == 0,
        ..SimService::default()
    };
    let trace = soak(scenario, &service, &[]).expect("a trace");
    let mut lines = vec![Record::Header(Box::new(trace.header))];
    lines.extend(trace.start.map(Record::Start));
    lines.extend(trace.phases.into_iter().map(Record::Phase));
    lines.extend(trace.samples.into_iter().map(Record::Sample));
    lines.extend(trace.traffic.into_iter().map(Record::Traffic));
    lines.extend(trace.end.map(Record::End));
    lines.iter().map(|record| serde_json::to_string(record).expect("JSON") + "\n").collect()
}

/// A `run.json`.
pub fn run_json(random: &mut Random) -> String {
    let decoded = decode(&flags(random));
    let scenario = decoded.scenario.unwrap_or_else(|| sound().clone());
    let plan = plan(&scenario, &Features::default(), &decoded.spans);
    let plan = plan.unwrap_or_else(|_| plan_of(sound()));
    let run = RunRecord::new(scenario, &Supplies::default(), "/scenarios".into(), plan, Provenance::default());
    serde_json::to_string(&run).expect("JSON")
}

fn plan_of(scenario: &Scenario) -> steep_core::plan::Plan {
    plan(scenario, &Features::default(), &steep_core::problem::Spans::default()).expect("a plan")
}

/// A table of readings.
pub fn csv(random: &mut Random) -> String {
    let head = ["t_s,rss_bytes,requests", "time,rss_mib", "timestamp,memory", "t_s,rss_kb,live_kb"][random.below(4)];
    let fields = head.split(',').count();
    let mut made = format!("{head}\n");
    for nth in 0..random.below(60) {
        let row: Vec<String> = (0..fields)
            .map(|field| match random.below(30) {
                0 => random.nasty().to_owned(),
                1 => random.number().to_owned(),
                _ => (nth * (field * 5_000 + 1)).to_string(),
            })
            .collect();
        let _ = writeln!(made, "{}", row.join(","));
    }
    made
}

/// An answer: headers, an empty line, a body.
pub fn answer(random: &mut Random) -> String {
    let value = |random: &mut Random| match random.below(4) {
        0 => json!(random.nasty().repeat(random.below(300))),
        1 => number(random),
        2 => json!([random.nasty(), {"id": random.name()}]),
        _ => json!({"id": random.nasty(), "token": random.name()}),
    };
    let body = json!({"items": [value(random), value(random)], "total": number(random), "a/b": value(random)});
    let html = format!("<input name=\"csrf\" value=\"{}\">", random.nasty().repeat(1 + random.below(3_000)));
    let body = if random.below(3) == 0 { html } else { body.to_string() };
    format!("etag: \"{}\"\nx: {}\n\n{body}", random.nasty().replace('\n', ""), random.name())
}

/// Prometheus text.
pub fn metrics(random: &mut Random) -> String {
    let mut made = String::new();
    for _ in 0..random.below(30) {
        let name = ["http_requests_total", "http_requests", "up"][random.below(3)];
        let labels = match random.below(3) {
            0 => String::new(),
            1 => "{method=\"GET\"}".to_owned(),
            _ => format!("{{method=\"{}\",{}=\"{}\"}}", random.nasty(), random.name(), random.nasty()),
        };
        let _ = writeln!(made, "{name}{labels} {}", random.number());
    }
    made
}
