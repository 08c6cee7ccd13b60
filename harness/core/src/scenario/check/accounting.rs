//! Thresholds that can be judged, a load that may be missing in part, a load that another program makes.

use std::collections::BTreeSet;

use super::super::{Expect, GrpcStatus, Judged, Reported, Request, Scenario, Shape, Threshold};
use super::Check;
use steep_judge::units::duration_text;

/// Statuses from here on refuse what was asked.
const REFUSAL: u16 = 400;

impl Check<'_> {
    pub(super) fn tolerate(&mut self, scenario: &Scenario) {
        let tolerate = &scenario.tolerate;
        for (name, share) in [("undelivered", tolerate.undelivered), ("failed", tolerate.failed)] {
            if share > 1.0 {
                let help = "write 5 % as 0.05";
                self.error(
                    &format!("load.tolerate.{name}"),
                    format!("\"{name}\" is a share, and {share} above 1"),
                    help,
                );
            }
        }
        let sending = scenario.flows.iter().filter(|flow| flow.weight > 0.0);
        let steps: BTreeSet<&String> = sending.flat_map(|flow| &flow.steps).collect();
        let is_step = |request: &Request| steps.contains(&request.name);
        let sent = || scenario.requests.iter().filter(|request| request.weight > 0.0 || is_step(request));
        let refused = |request: &Request| {
            let Expect { status, grpc_status, .. } = &request.expect;
            !status.is_empty() && status.iter().all(|status| *status >= REFUSAL)
                || !grpc_status.is_empty() && !grpc_status.contains(&GrpcStatus::Ok)
        };
        if sent().next().is_some() && sent().all(refused) {
            let message = "every request expects to be refused (status 400 and above, or a grpc-status other than OK)";
            self.warning("requests", message, "no cell will be cleared: let one expect that the service does its work");
        }
    }

    pub(super) fn external(&mut self, scenario: &Scenario) {
        let wanted = scenario.external.is_some();
        for (index, phase) in scenario.phases.iter().enumerate() {
            let path = format!("phases[{index}].shape");
            match (phase.shape == Shape::External, wanted) {
                (true, false) => {
                    let help = "name the program: command = [\"k6\", \"run\", \"script.js\"] in [load]";
                    self.error(&path, "\"external\" needs a program that makes the load", help);
                }
                (false, true) => {
                    let message = format!("the load of \"{}\" is made by \"command\" in [load]", phase.name);
                    self.error(&path, message, "write shape = \"external\" and no rates");
                }
                (true, true) | (false, false) => {}
            }
        }
        let Some(external) = &scenario.external else { return };
        let mut known: Vec<String> = ["port", "url", "dir"].map(str::to_owned).to_vec();
        known.extend(scenario.dependencies.iter().map(|dependency| format!("{}.port", dependency.name)));
        self.command("load.command", &external.command, &known);
        if let Some(Reported::File(name)) = &external.reported {
            self.file_in_cell("load.requests_file", name);
        }
        let Some(counter) = &external.counter else { return };
        self.own_path("load.counter.path", &counter.path);
        let of_a_metric = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
        if counter.metric.is_empty() || !counter.metric.chars().all(of_a_metric) {
            let help = "labels go into `labels`: { method = \"GET\" }";
            self.error("load.counter.metric", format!("{:?} is not a name of a metric", counter.metric), help);
        }
    }

    /// That `name` stays within the cell's folder.
    fn file_in_cell(&mut self, path: &str, name: &str) {
        let is_plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains("{{");
        if !name.split('/').all(is_plain) {
            let message = format!("{name:?} is not a file within the cell's folder");
            self.error(path, message, "write a name such as \"requests\", and give the program {{dir}}/requests");
        }
    }

    pub(super) fn thresholds(&mut self, scenario: &Scenario) {
        let requests: BTreeSet<&str> = scenario.requests.iter().map(|request| request.name.as_str()).collect();
        for (index, threshold) in scenario.thresholds.iter().enumerate() {
            self.threshold(&format!("thresholds[{index}]"), threshold, scenario, &requests);
        }
    }

    fn threshold(&mut self, path: &str, threshold: &Threshold, scenario: &Scenario, requests: &BTreeSet<&str>) {
        let Threshold { metric, request, window, abort_after, .. } = threshold;
        let name = metric.name();
        let lasts = scenario.soak_duration();
        for (key, time) in [("window", window), ("abort_after", abort_after)] {
            if let Some(time) = time.filter(|time| *time > lasts) {
                let message =
                    format!("\"{key}\" is longer than the soak: {} of {}", duration_text(time), duration_text(lasts));
                self.error(&format!("{path}.{key}"), message, "it would never be judged");
            }
        }
        if abort_after.is_some() && window.is_none() && metric.judged() == Judged::Rolling {
            let message = format!("\"abort_after\" of {name} needs a \"window\"");
            self.error(&format!("{path}.abort_after"), message, "without it the threshold is judged at the end");
        }
        if let Some(request) = request
            && !requests.contains(request.as_str())
        {
            self.error(
                &format!("{path}.request"),
                format!("there is no request {request:?}"),
                "name one of [[requests]]",
            );
        }
        if scenario.external.is_some() && metric.judged() == Judged::Rolling {
            let message = format!("{name} is not known of a load that another program makes");
            self.error(
                &format!("{path}.metric"),
                message,
                "let that program judge it, and end with a status other than 0",
            );
        }
    }
}
