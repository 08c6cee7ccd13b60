//! What is wrong with the files that a scenario names, found by making its traffic of them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::problem::{Problem, Spans};
use crate::scenario::rates::Rates;
use crate::scenario::{
    Flaw, Flow, Param, Pick, Request, Scenario, Shape, Supplies, before, no_value, places, unknown_name, unset,
    unused_params, variables,
};
use crate::template::Template;
use steep_judge::units::duration_text;

use super::ScheduleError;
use super::capture::Variables;
use super::curve::Curve;
use super::grpc::Descriptors;
use super::lists::Lists;
use super::request::{FileBody, RequestText, templates};
use super::text::Names;

/// All problems of the files that `scenario` names, whose rates are drawn already. Paths that were not read are
/// problems that were reported.
#[must_use]
pub fn problems(scenario: &Scenario, spans: &Spans, supplies: &Supplies) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut tell = |key: &str, flaw: Flaw| problems.push(Problem::error(flaw.message, spans.of(key)).help(flaw.help));
    let files: Vec<Option<FileBody>> = scenario
        .requests
        .iter()
        .enumerate()
        .map(|(index, request)| {
            FileBody::of(request, supplies).unwrap_or_else(|flaw| {
                tell(&format!("requests[{index}].body_file"), flaw);
                None
            })
        })
        .collect();
    let (lists, flaws) = Lists::new(&scenario.params, templates(&scenario.requests, &files), supplies);
    let is_whole = flaws.is_empty();
    for (key, flaw) in flaws {
        tell(&key, flaw);
    }
    if is_whole {
        let (params, variables) = (&scenario.params, &Variables::of(&scenario.requests));
        let names = Names { params, lists: &lists, variables, cell_value: |_: &str| Some(String::new()) };
        let mut descriptors = Descriptors::default();
        for (index, (request, file)) in scenario.requests.iter().zip(&files).enumerate() {
            let call = match descriptors.call(request, supplies) {
                Ok(call) => call,
                Err((key, flaw)) => {
                    tell(&format!("requests[{index}].{key}"), flaw);
                    continue;
                }
            };
            match RequestText::compile(request, file.clone(), call.as_ref(), &names) {
                Err(ScheduleError::Unfit { key, flaw, .. }) => tell(&format!("requests[{index}].{key}"), flaw),
                // A name that nothing defines is reported below and by the checks of the scenario.
                Ok(_) | Err(ScheduleError::UnknownName { .. }) => {}
                Err(other) => tell(&format!("requests[{index}]"), Flaw::new(other.to_string(), "")),
            }
        }
    }
    problems.extend(names_in_files(scenario, spans, &files));
    problems.extend(rates(scenario, spans, supplies));
    problems.extend(short_queues(scenario, spans, &lists, &files));
    problems
}

/// Names in bodies that are in files: those that nothing defines, and parameters that are used nowhere.
fn names_in_files(scenario: &Scenario, spans: &Spans, files: &[Option<FileBody>]) -> Vec<Problem> {
    let bodies = files.iter().enumerate().filter_map(|(index, file)| match file {
        Some(FileBody::Template(template)) => Some((index, template)),
        Some(FileBody::Raw(_)) | None => None,
    });
    let mut problems = Vec::new();
    let mut in_files: Vec<Template> = Vec::new();
    let (places, captured) = (places(&scenario.requests), variables(&scenario.requests));
    let has_value = |name: &str| Param::named(&scenario.params, name).is_some() || captured.contains(name);
    for (index, template) in bodies {
        let unknown = template.names().filter(|name| !has_value(name));
        let span = spans.of(&format!("requests[{index}].body_file"));
        problems.extend(unknown.map(|name| Problem { span: span.clone(), ..unknown_name(name, scenario) }));
        in_files.push(template.clone());
    }
    for (index, flow) in scenario.flows.iter().enumerate() {
        let names_of = |request: usize| match &files[request] {
            Some(FileBody::Template(template)) => template.names().collect(),
            Some(FileBody::Raw(_)) | None => BTreeSet::new(),
        };
        let span = spans.of(&format!("flows[{index}].steps"));
        let unset = unset(flow, &scenario.requests, (&places, &captured), names_of);
        problems.extend(
            unset.into_iter().map(|(step, name)| {
                Problem::error(no_value(flow, step, name), span.clone()).help(before(name, scenario))
            }),
        );
    }
    if scenario.requests.iter().any(|request| request.body_file.is_some()) {
        problems.extend(unused_params(scenario, &in_files, spans));
    }
    problems
}

/// Rates from files that send nothing, or hold their last one.
fn rates(scenario: &Scenario, spans: &Spans, supplies: &Supplies) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, phase) in scenario.phases.iter().enumerate() {
        let Shape::FromFile { path, repeat, stretches } = &phase.shape else { continue };
        let Ok(rates) = supplies.text(path).and_then(|text| Rates::parse(path, text)) else { continue };
        let span = spans.of(&format!("phases[{index}].path"));
        if !stretches.is_empty() && stretches.iter().all(|part| part.start_rate.get() + part.target_rate.get() <= 0.0) {
            problems.push(
                Problem::error(format!("every rate in {path} is 0"), span)
                    .help("use shape = \"pause\" for no requests"),
            );
        } else if !repeat && rates.length() < phase.duration {
            let (file, phase) = (duration_text(rates.length()), duration_text(phase.duration));
            let message = format!("{path} lasts {file} and the phase {phase}: the last rate holds for the rest");
            problems.push(Problem::warning(message, span).help("loop = true begins the file anew"));
        }
    }
    problems
}

/// Queues that will run dry: the load that is expected by weight needs more rows than there are.
fn short_queues(scenario: &Scenario, spans: &Spans, lists: &Lists, files: &[Option<FileBody>]) -> Vec<Problem> {
    let total = Curve::new(&scenario.phases).total();
    let weights: f64 = scenario.weights().map(|(_, weight)| weight).sum();
    let mut using_of: BTreeMap<&str, Vec<&Request>> = BTreeMap::new();
    for (request, file) in scenario.requests.iter().zip(files) {
        let all = templates(std::slice::from_ref(request), std::slice::from_ref(file)).flat_map(Template::names);
        let named = all.filter_map(|name| Param::named(&scenario.params, name).map(|(param, _)| param));
        named.collect::<BTreeSet<_>>().into_iter().for_each(|param| using_of.entry(param).or_default().push(request));
    }
    let mut problems = Vec::new();
    for (place, (name, param)) in scenario.params.iter().enumerate() {
        let (Param::Csv { pick: Pick::Queue, .. } | Param::Jsonl { pick: Pick::Queue, .. }) = param else { continue };
        let using: &[&Request] = using_of.get(name.as_str()).map_or(&[], Vec::as_slice);
        // A session needs one row, however many of its steps use it.
        let is_used_in = |flow: &&Flow| using.iter().any(|request| flow.steps.contains(&request.name));
        let in_flows = scenario.flows.iter().filter(is_used_in).map(|flow| flow.weight);
        let using: f64 = using.iter().map(|request| request.weight).chain(in_flows).sum();
        let (needed, rows) = (total * using / weights.max(f64::MIN_POSITIVE), lists.rows(place));
        if rows > 0 && needed > rows as f64 {
            let message = format!("{rows} rows are less than the about {needed:.0} requests that need one each");
            let help = "the rest is counted as dropped, and more than 1 % make a cell invalid: give more rows, or pick = \"circular\"";
            problems.push(Problem::warning(message, spans.of(&format!("params.{name}.pick"))).help(help));
        }
    }
    problems
}
