//! Scenarios: decoding, the plan, the traffic, and that each says of the others what it must.

use steep_core::plan::{Plan, plan, settings};
use steep_core::problem::{Severity, any_error, render};
use steep_core::report::{Layout, plan_table};
use steep_core::scenario::decode::{Decoded, decode};
use steep_core::scenario::keys::keys;
use steep_core::scenario::package::Features;
use steep_core::scenario::{Scenario, Supplies};
use steep_core::traffic::supplied::problems;
use steep_core::traffic::{Schedule, Workload};

use super::Target;
use super::make;

pub fn targets() -> Vec<Target> {
    vec![
        Target { name: "scenario", seeds: scenarios, tokens: keys_of_scenarios, make: make::scenario, read, cost: 1 },
        Target {
            name: "plan",
            seeds: || vec![make::SOUND.to_owned()],
            tokens: words_of_plans,
            make: make::flags,
            read,
            cost: 1,
        },
    ]
}

/// Those of the repository.
pub fn scenarios() -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("scenarios").flatten().map(|file| file.path()).collect();
    files.sort();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    let mut texts: Vec<String> = files.iter().map(|file| std::fs::read_to_string(file).expect("a scenario")).collect();
    texts.push(make::SOUND.to_owned());
    texts
}

fn keys_of_scenarios() -> Vec<String> {
    let name = |path: &str| path.rsplit(['.', ']']).next().unwrap_or_default().to_owned();
    keys().map(|key| format!("\n{} = ", name(key.path))).chain(words_of_plans()).collect()
}

fn words_of_plans() -> Vec<String> {
    let words =
        ["all", "each", "pairwise", "screening", "full", "leave-one-out", "auto", "strength = 3", "f1", "f2", "a1"];
    words.map(str::to_owned).to_vec()
}

fn read(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Decoded { scenario, draft, problems, spans } = decode(text);
    let shown = render(&problems, "soak.toml", text, false);
    assert_eq!(shown.is_empty(), problems.is_empty());
    assert_eq!(scenario.is_none(), any_error(&problems), "{shown}");
    assert!(scenario.is_none() || draft.is_some());
    let Some(scenario) = scenario else { return };
    kept(&scenario);
    if let Ok(plan) = plan(&scenario, &Features::default(), &spans) {
        planned(&scenario, &plan);
        super::taken();
    }
    soaked(scenario, &spans);
}

/// A scenario comes back from `run.json` as it was.
fn kept(scenario: &Scenario) {
    let written = serde_json::to_string(scenario).expect("JSON");
    let back: Scenario = serde_json::from_str(&written).expect("the same scenario");
    assert_eq!(&back, scenario);
}

fn planned(scenario: &Scenario, plan: &Plan) {
    assert!(!plan.cells.is_empty() && plan.cells.len() <= scenario.plan.max_cells);
    for cell in &plan.cells {
        let _ = settings(scenario, cell);
        assert!(cell.id.as_str().len() < 200, "{}", cell.id);
    }
    assert!(!plan_table(plan, Layout::default()).is_empty());
    let written = serde_json::to_string(plan).expect("JSON");
    assert_eq!(&serde_json::from_str::<Plan>(&written).expect("the same plan"), plan);
}

/// What `check` has nothing against gives traffic.
fn soaked(mut scenario: Scenario, spans: &steep_core::problem::Spans) {
    let supplies = Supplies::default();
    if scenario.traffic_files().next().is_some() || scenario.external.is_some() {
        return;
    }
    assert_eq!(scenario.supply(&supplies), []);
    let is_error = |problem: &steep_core::problem::Problem| problem.severity == Severity::Error;
    if problems(&scenario, spans, &supplies).iter().any(is_error) {
        return;
    }
    let schedule = Schedule::new(Workload::of(&scenario, &supplies), |_| Some("1".to_owned()));
    let schedule = schedule.unwrap_or_else(|error| panic!("check has nothing against it, and {error}"));
    let texts = schedule.texts().clone();
    for due in schedule.take(50) {
        let mut path = String::new();
        texts[due.request].path().write(&due.values, &mut path);
        assert!(path.starts_with('/'), "{path}");
    }
}
