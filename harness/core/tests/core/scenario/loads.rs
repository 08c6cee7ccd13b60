//! Soaks without traffic, soaks that are too short to decide, and loads that another program makes.

use steep_core::scenario::decode::decode;
use steep_core::testing::{SOUND, problems, with};

/// A service without an address, of which nothing is asked.
const QUIET: &str = r#"name = "quiet"
[service]
command = ["consumer"]
[load]
model = "none"
[[phases]]
name = "quiet"
role = "steady"
shape = "pause"
duration = "1h"
"#;

#[test]
fn a_soak_without_traffic_needs_the_word_and_neither_requests_nor_an_address() {
    let decoded = decode(QUIET);
    assert_eq!(decoded.problems, []);
    let scenario = decoded.scenario.expect("a scenario");
    assert!(scenario.service.url.is_none() && scenario.service.ready.is_none());
    insta::assert_snapshot!(with("shape = \"constant\"\nrate = 100", "shape = \"constant\"\nrate = 0"));
    insta::assert_snapshot!(problems(&QUIET.replace("model = \"none\"", "model = \"open\"")));
}

#[test]
fn what_has_no_meaning_without_traffic_is_reported() {
    let more = r#"
[[phases]]
name = "load"
role = "steady"
shape = "constant"
rate = 10
duration = "10m"
[[requests]]
name = "get"
path = "/"
[[thresholds]]
metric = "error_rate"
max = 0.01
[judge]
min_growth_per_request = "512B"
min_growth_per_hour = "0B"
[[flags]]
name = "verbose"
kind = "http"
request = { path = "/verbose" }
off_request = { method = "DELETE", path = "/verbose" }
"#;
    let text = QUIET.replace("model = \"none\"", "model = \"none\"\narrival = \"poisson\"");
    let text = text.replace("[load]", "probe = \"/memory\"\n[load]");
    insta::assert_snapshot!(problems(&(text + more)));
}

#[test]
fn a_soak_without_traffic_that_cannot_see_what_is_worth_finding_is_a_warning() {
    insta::assert_snapshot!(problems(&QUIET.replace("\"1h\"", "\"75s\"")));
    insta::assert_snapshot!(problems(&QUIET.replace("\"1h\"", "\"20m\"")));
}

#[test]
fn a_soak_under_load_that_cannot_decide_is_a_warning() {
    insta::assert_snapshot!(problems(&SOUND.replace("rate = 100", "rate = 10").replace("\"5m\"", "\"60s\"")));
    let live = SOUND.replace("[[phases]]", "probe = \"/debug/memory\"\n[[phases]]").replace("\"5m\"", "\"60s\"");
    assert_eq!(decode(&live).problems, [], "live bytes see less");
}

/// A scenario whose load another program makes.
const LOADED: &str = r#"name = "shop"
[service]
command = ["shop"]
url = "http://127.0.0.1:{{port}}"
[load]
command = ["wrk", "{{url}}"]
[[phases]]
name = "steady"
role = "steady"
shape = "external"
duration = "5m"
"#;

#[test]
fn a_program_that_makes_the_load_may_tell_of_its_requests() {
    let and = |keys: &str| LOADED.replace("[[phases]]", &format!("{keys}\n[[phases]]"));
    for sound in ["requests_from = \"stdout\"", "requests_from = \"file\"\nrequests_file = \"load/requests\""] {
        assert_eq!(decode(&and(sound)).problems, [], "{sound}");
    }
    insta::assert_snapshot!(problems(LOADED));
    let both = "requests_from = \"file\"\ncounter = { path = \"/metrics\", metric = \"requests_total\" }";
    insta::assert_snapshot!(problems(&and(both)));
    for elsewhere in ["../requests", "/tmp/requests", "{{dir}}/requests", ".requests", ""] {
        let described = problems(&and(&format!("requests_from = \"file\"\nrequests_file = \"{elsewhere}\"")));
        assert!(described.contains("is not a file within the cell's folder"), "{described}");
    }
    let unasked = problems(&and("requests_from = \"stdout\"\nrequests_file = \"requests\""));
    assert!(unasked.contains("requests_file"), "{unasked}");
    assert!(problems(&and("requests_file = \"requests\"")).contains("without \"requests_from\""));
    let own = SOUND.replace("[[phases]]", "[load]\nrequests_from = \"stdout\"\n[[phases]]");
    assert!(problems(&own).contains("\"requests_from\" has no meaning without \"command\""));
}
