//! Scenarios as users write them, and every mistake in them: what is said, where, and what to do.

mod loads;

use std::fmt::Write as _;

use steep_core::problem::render;
use steep_core::scenario::Shape;
use steep_core::scenario::decode::decode;
use steep_core::testing::{SOUND, and, problems, with};

#[test]
fn a_sound_scenario_has_no_problem_and_every_default() {
    let decoded = decode(SOUND);
    assert_eq!(decoded.problems, []);
    let scenario = decoded.scenario.expect("a scenario");
    insta::assert_json_snapshot!(scenario);
}

#[test]
fn thresholds_that_cannot_be_judged_are_problems() {
    let text = r#"
[load.tolerate]
undelivered = 2

[[thresholds]]
metric = "p98"
max = "50ms"

[[thresholds]]
metric = "p99"
max = 50
request = "put"

[[thresholds]]
metric = "error_rate"
max = 1.5
window = "1h"

[[thresholds]]
metric = "error_rate"
max = 0.01
abort_after = "1m"

[[thresholds]]
metric = "peak_memory"
min = "1GiB"
window = "1m"

[[thresholds]]
metric = "throughput"
max = 1
min = 1

[[thresholds]]
metric = "growth_per_hour"
"#;
    insta::assert_snapshot!(and(text));
}

#[test]
fn a_load_by_another_program_has_no_requests_of_its_own() {
    let text = r#"
[load]
command = ["k6", "run", "{{script}}"]
arrival = "poisson"
counter = { path = "metrics", metric = "http_requests{}" }

[[thresholds]]
metric = "p99"
max = "50ms"
"#;
    insta::assert_snapshot!(and(text));
    insta::assert_snapshot!(with("shape = \"constant\"\nrate = 100", "shape = \"external\"\nrate = 100"));
    insta::assert_snapshot!(and("\n[load]\ncounter = { path = \"/metrics\", metric = \"requests_total\" }\n"));
}

#[test]
fn requests_that_all_expect_to_be_refused_are_a_warning() {
    insta::assert_snapshot!(with("path = \"/\"", "path = \"/\"\nexpect = { status = [401, 404] }"));
}

#[test]
fn what_is_tolerated_by_default_is_what_an_older_trace_was_judged_by() {
    let scenario = decode(SOUND).scenario.expect("a scenario");
    assert_eq!(scenario.tolerate, steep_core::scenario::Tolerate::default());
}

#[test]
fn all_problems_are_reported_at_once() {
    let text = r#"nme = "shop"
seed = -1

[service]
package = "shop"
profile = "dev"
url = "https://example.org"
ready = { path = "/healthz", timout = "3s" }

[[phases]]
name = "steady"
role = "stedy"
shape = "constant"
durtion = "5m"
rate = "fast"

[[requests]]
name = "get"
path = "/items/{{itm}}"

[params.item]
dist = "uniform"
max = 10
"#;
    insta::assert_snapshot!(problems(text));
}

#[test]
fn broken_toml_is_reported_with_its_place() {
    insta::assert_snapshot!(problems("name = \"shop\n[service"));
}

#[test]
fn events_and_series_of_the_service_are_checked() {
    let more = r#"
[service.metrics]
path = "metrics"
keep = ["cache_entries", "db_(pool"]
every = "100ms"

[[service.log_events]]
name = "batch"
pattern = "batch (started"

[[service.log_events]]
name = "batch"
pattern = "(started)?"

[[service.log_events]]
pattern = "gc"
"#;
    insta::assert_snapshot!(and(more));
}

#[test]
fn known_growth_without_flag_size_or_day_is_a_problem() {
    let more = r#"
[[flags]]
name = "labels"
kind = "env"
var = "LABELS"

[[known]]
flag = "lables"
issue = "https://example.org/issues/12"
max_growth_per_request = "64B"
expires = "2027-02-29"

[[known]]
flag = "labels"
flags = ["labels", "labels"]
issue = " "
max_growth_per_hour = "0B"
expires = 2027-03-01

[[known]]
issue = "https://example.org/issues/13"
"#;
    insta::assert_snapshot!(and(more));
}

#[test]
fn shapes_that_cannot_be_are_reported() {
    let shapes = r#"shape = "sine"
mean = 10
amplitude = 11
period = "2h"

[[phases]]
name = "spikes"
role = "steady"
shape = "spike"
rate = 1
peak_rate = 2000000
every = "10s"
width = "10s"
duration = "5s"

[[phases]]
name = "square"
role = "steady"
shape = "square"
low = 1
high = 2
halves = 7
duration = "5m"
weights = { itm = 0 }

[[phases]]
name = "stages"
role = "steady"
shape = "stages"
stages = []
duration = "5m"

[[phases]]
name = "recording"
role = "steady"
shape = "spike"
rate = 1
peak_rate = 2
every = "10ms"
width = "1ms"
duration = "1h"

[[phases]]
name = "users"
role = "steady"
shape = "users"
"#;
    insta::assert_snapshot!(with("shape = \"constant\"\nrate = 100", shapes));
}

#[test]
fn what_a_closed_load_cannot_have_is_reported() {
    let more = r#"
[http]
connections = 10
[load]
model = "closed"
vus = 20
think_time = { dist = "uniform", min = "2s", max = "1s" }
[[phases]]
name = "crowd"
role = "steady"
shape = "users"
users = 30
duration = "5m"
"#;
    insta::assert_snapshot!(and(more));
}

#[test]
fn users_are_of_a_closed_load() {
    insta::assert_snapshot!(and("[load]\nvus = 20\nthink_time = { dist = \"constant\", time = \"1s\" }\n"));
}

#[test]
fn a_key_of_another_shape_has_no_meaning() {
    insta::assert_snapshot!(with("rate = 100", "rate = 100\ntarget_rate = 3"));
}

#[test]
fn a_rate_of_zero_everywhere_is_a_problem() {
    insta::assert_snapshot!(with("rate = 100", "rate = 0"));
}

#[test]
fn empty_phases_and_requests_are_problems() {
    let text = "name = \"x\"\nphases = []\nrequests = []\n[service]\ncommand = [\"x\"]\nurl = \"http://127.0.0.1:1\"\n\
                [[flows]]\nname = \"shop\"\nsteps = [\"login\"]\n";
    insta::assert_snapshot!(problems(text));
}

#[test]
fn weights_of_zero_send_nothing() {
    insta::assert_snapshot!(with("path = \"/\"", "path = \"/\"\nweight = 0"));
}

#[test]
fn weights_that_cannot_be_added_or_never_come_are_problems() {
    let second = |weight: &str| format!("\n[[requests]]\nname = \"q\"\npath = \"/q\"\nweight = {weight}\n");
    let first = |weight: &str| SOUND.replace("path = \"/\"", &format!("path = \"/\"\nweight = {weight}"));
    for (one, other, wanted) in [
        ("1e308", "1e308", "the weights are too large to be added, that of \"q\" first"),
        ("1e300", "1", "\"q\" would never come beside \"get\": its weight is too small"),
        ("1e-13", "1", "\"get\" would never come beside \"q\": its weight is too small"),
    ] {
        let said = problems(&format!("{}{}", first(one), second(other)));
        assert!(said.contains(wanted), "{said}");
    }
    assert!(decode(&format!("{}{}", first("1e9"), second("0.01"))).problems.is_empty());
    let param = "[params.id]\ndist = \"choice\"\nvalues = [\"a\", \"b\"]\nweights = [1e308, 1e308]\n";
    let said = problems(&format!("{}{param}", SOUND.replace("path = \"/\"", "path = \"/{{id}}\"")));
    assert!(said.contains("the weights are too large to be added, that of \"b\" first"), "{said}");
    let phase = SOUND.replace("duration = \"5m\"", "duration = \"5m\"\nweights = { get = 1e-300 }");
    let said = problems(&format!("{phase}{}", second("1")));
    assert!(said.contains("\"get\" would never come beside \"q\""), "{said}");
}

#[test]
fn a_template_that_names_nothing_is_a_problem() {
    insta::assert_snapshot!(with("path = \"/\"", "path = \"/{{item}}\"\nbody = \"{{\""));
}

#[test]
fn nothing_worth_finding_is_refused() {
    insta::assert_snapshot!(and("\n[judge]\nmin_growth_per_request = \"0B\"\nmin_growth_per_hour = \"0B\"\n"));
}

#[test]
fn a_load_for_another_host_is_refused() {
    insta::assert_snapshot!(with("127.0.0.1:{{port}}", "10.0.0.1:80"));
}

#[test]
fn a_run_too_short_to_judge_is_a_warning() {
    let text = SOUND.replace("5m", "30s");
    assert!(decode(&text).scenario.is_some());
    insta::assert_snapshot!(problems(&text));
}

#[test]
fn wrong_types_are_reported_with_what_is_wanted() {
    let text = r#"name = 3
seed = 1.5
phases = "many"
requests = [1]

[service]
command = "shop"
env = { PORT = 80 }
url = ["http://127.0.0.1:1"]
memory_limit = 512
ready = { path = "/", timeout = 30 }
"#;
    insta::assert_snapshot!(problems(text));
}

#[test]
fn a_ramp_is_decoded() {
    let text = SOUND.replace("shape = \"constant\"\nrate = 100", "shape = \"ramp\"\nstart_rate = 1\ntarget_rate = 2.5");
    let scenario = decode(&text).scenario.expect("a scenario");
    let Shape::Ramp { start_rate, target_rate } = scenario.phases[0].shape else { panic!("{:?}", scenario.phases) };
    assert_eq!((start_rate.get().to_bits(), target_rate.get().to_bits()), (1_f64.to_bits(), 2.5_f64.to_bits()));
}

proptest::proptest! {
    /// Whatever stands in a file, decoding it gives a scenario or problems with places inside the file, and never
    /// panics.
    #[test]
    fn no_text_makes_the_decoder_panic(edits in proptest::collection::vec((0_usize..300, ".{0,6}"), 1..6)) {
        let mut text = SOUND.to_owned();
        for (at, insert) in edits {
            let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.insert_str(at, &insert);
        }
        let decoded = decode(&text);
        proptest::prop_assert!(decoded.scenario.is_some() || !decoded.problems.is_empty());
        let mut shown = String::new();
        write!(shown, "{}", render(&decoded.problems, "soak.toml", &text, false)).expect("a text");
    }
}

#[test]
fn a_client_with_tls_and_every_kind_of_conduct_has_no_problem() {
    let text = SOUND.replacen("http://", "https://", 1).replacen("path = \"/\"", "path = \"/\"\nheaders = { x-key = \"{{env.KEY}}\" }\nabort_after = \"50ms\"\nabort_share = 0.1\nabort_with = \"close\"\nread_rate = \"10KiB\"\nsend_rate = \"1KiB\"", 1)
        + "[[requests]]\nname = \"events\"\npath = \"/events\"\nhold = \"30s\"\ngoodbye = false\n[http]\nprotocol = \"http2\"\nmax_concurrent_streams = 10\nmax_idle = \"5s\"\ntls = { ca = \"ca.pem\", client_certificate = \"c.pem\", client_key = \"c.key\", server_name = \"shop\" }\nauth = { basic = { user = \"u\", password_env = \"WORD\" } }\n";
    let text =
        text.replacen("duration = \"5m\"", "duration = \"5m\"\nstorm = { connections = 500, every = \"1s\" }", 1);
    let decoded = decode(&text);
    assert_eq!(decoded.problems, []);
    let scenario = decoded.scenario.expect("a scenario");
    let variables: Vec<String> = scenario.secret_variables().into_iter().map(|(_, name)| name).collect();
    assert_eq!(variables, ["WORD", "KEY"]);
    insta::assert_json_snapshot!((&scenario.http, &scenario.phases, &scenario.requests));
    let read: steep_core::scenario::Scenario =
        serde_json::from_str(&serde_json::to_string(&scenario).expect("JSON")).expect("the same scenario");
    assert_eq!(read, scenario);
}

#[test]
fn conduct_that_says_too_little_or_too_much_is_a_problem() {
    insta::assert_snapshot!(with(
        "path = \"/\"",
        "path = \"/{{env.KEY}}\"\nabort_share = 1.5\ngoodbye = true\nread_rate = \"0B\"\nhold = \"1s\"\nabort_after = \"20s\"\nexpect = { json = { \"/id\" = 1 } }"
    ));
}

#[test]
fn trust_and_identity_are_said_once_and_whole() {
    insta::assert_snapshot!(and(
        "[http]\nmax_concurrent_streams = 7\n[http.tls]\nclient_key = \"k.pem\"\n[http.auth]\n"
    ));
    insta::assert_snapshot!(with("http://", "https://"));
}

/// A login, and a purchase with what it gave.
const FLOW: &str = r#"
[[requests]]
name = "login"
method = "POST"
path = "/login"
capture = { token = { json = "data.token" }, next = { header = "Location" }, id = { regex = "id=(\\d+)" } }
[[requests]]
name = "buy"
path = "/buy/{{id}}"
headers = { authorization = "Bearer {{token}}" }
expect = { body_contains = "{{next}}" }
[[flows]]
name = "shopping"
steps = ["login", "buy"]
think_time = { dist = "uniform", min = "1s", max = "2s" }
"#;

#[test]
fn a_flow_has_no_problem_and_its_steps_no_weight_of_their_own() {
    let decoded = decode(&format!("{SOUND}{FLOW}"));
    assert_eq!(decoded.problems, []);
    let scenario = decoded.scenario.expect("a scenario");
    let weights: Vec<_> = scenario.weights().map(|(name, weight)| format!("{name} {weight}")).collect();
    assert_eq!(weights, ["get 1", "login 0", "buy 0", "shopping 1"]);
    insta::assert_json_snapshot!((&scenario.flows, &scenario.requests[1].capture));
    let read: steep_core::scenario::Scenario =
        serde_json::from_str(&serde_json::to_string(&scenario).expect("JSON")).expect("the same scenario");
    assert_eq!(read, scenario);
}

#[test]
fn what_a_flow_cannot_be_is_reported() {
    let more = r#"
[[flows]]
name = "get"
steps = ["buy", "logn", "login"]
think_time = { dist = "uniform", min = "2s", max = "1s" }
[[flows]]
name = "nothing"
steps = []
[[requests]]
name = "alone"
weight = 2
path = "/{{token}}?b={{tokn}}"
[[requests]]
name = "gone"
method = "HEAD"
path = "/"
abort_after = "1s"
[requests.capture]
a = { json = "a" }
"b c" = { header = "x y" }
c = { regex = "(a)(b)" }
d = { regex = "(" }
e = {}
item = { json = "i", header = "h" }
page = { header = "h" }
[params.page]
dist = "unique"
"#;
    insta::assert_snapshot!(and(&format!("{FLOW}{more}")));
}
