//! What the user asks for: a scenario file, checked, with every default filled in.
//!
//! Each subject (the service, flags, phases) is a file with its types, and a folder beside it with its keys, its
//! decoding and its checks; where these are short, the file has all of it. `schema` says what a key is, `keys` lists
//! them all, `read` takes typed values out of TOML by them, `check` collects problems, and `decode` has the order in
//! which subjects are decoded and checked. `package` looks at what the cargo package has, and `config` at files that
//! flags change; `starter` writes a first scenario for one. Pure: paths are kept as they were given, and nothing is
//! opened here.

mod allocators;
mod axes;
mod check;
mod constraints;
pub mod decode;
mod dependencies;
mod flags;
mod flows;
mod http;
mod json_path;
mod judge;
pub mod keys;
mod known;
mod load;
pub mod package;
mod params;
mod phases;
mod plan;
pub mod rates;
mod read;
mod report;
mod requests;
pub mod rows;
mod sampling;
mod schema;
mod service;
pub mod starter;
pub mod supplies;
mod thresholds;
mod verify;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::allocators::{Allocator, KnownAllocator, Proof, SYSTEM};
pub use self::axes::{Axis, AxisKind};
pub(crate) use self::check::is_header_name;
pub use self::constraints::{Constraints, Rule};
pub use self::dependencies::Dependency;
pub use self::flags::{CellSettings, Flag, Switch, SwitchRequest, config};
pub(crate) use self::flows::check::{before, no_value};
pub use self::flows::{Flow, places, unset};
pub use self::http::{Auth, ClientCertificate, Http, Protocol, Tls, variable_of};
pub use self::json_path::{JsonPath, Wanted};
pub use self::judge::{Confirm, Finding, Judge, Rerun, StopEarly, Strictness};
pub use self::known::{Date, Known};
pub use self::load::coded::{Block, Code};
pub use self::load::external::{Counter, External, Reported};
pub use self::load::tolerate::Tolerate;
pub use self::load::{Arrival, Load, Model, Pacing, ThinkTime};
pub(crate) use self::params::check::{unknown_name, unused_params};
pub use self::params::{Param, Pick};
pub use self::phases::{Phase, Role, Shape, Stage, StartAt, Storm};
pub use self::plan::{Foldover, PlanRules, Row, Strategy};
use self::rates::Rates;
pub use self::report::{FileFormat, ReportFiles};
pub use self::requests::capture::{Capture, CapturePlace};
pub(crate) use self::requests::check::LONGEST_PATH;
pub use self::requests::conduct::{Abort, Conduct, Farewell, Hold};
pub(crate) use self::requests::grpc::check::is_json_file;
pub use self::requests::grpc::{Grpc, GrpcForm, GrpcStatus};
pub use self::requests::{Expect, Request, variables};
pub use self::sampling::Sampling;
pub use self::service::{
    LiveChoice, LiveFrom, LogEvent, Metrics, Package, Program, Ready, ReadyCheck, RenderedFile, Service, Stop,
    StopSignal,
};
pub use self::supplies::{Flaw, Supplies};
pub use self::thresholds::{Bound, Judged, Metric, Threshold, Unit};
pub use self::verify::Verify;
use crate::template::Template;
use steep_judge::units::Seed;

/// A whole scenario. Serialised into `run.json` as the resolved form of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// Names the run's folder.
    pub name: String,
    /// Where all randomness comes from.
    pub seed: Seed,
    /// What is soaked.
    pub service: Service,
    /// What the service needs beside it.
    pub dependencies: Vec<Dependency>,
    /// How connections are made and kept.
    pub http: Http,
    /// How arrivals are made.
    pub load: Load,
    /// What of the load may be missing.
    pub tolerate: Tolerate,
    /// The program that makes the load; none: steep does.
    pub external: Option<External>,
    /// What happens when, in order.
    pub phases: Vec<Phase>,
    /// What is sent, picked by weight.
    pub requests: Vec<Request>,
    /// What users do one step after the other, picked by weight too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flows: Vec<Flow>,
    /// What the templates of requests may name.
    pub params: BTreeMap<String, Param>,
    /// What may be switched.
    pub flags: Vec<Flag>,
    /// What is crossed with every flag set.
    pub axes: Vec<Axis>,
    /// How each allocator but `system` is provided.
    pub allocators: BTreeMap<String, Allocator>,
    /// What flag sets must hold.
    pub constraints: Constraints,
    /// What holds between axes and flags.
    pub rules: Vec<Rule>,
    /// Which flag sets become cells.
    pub plan: PlanRules,
    /// How memory is read.
    pub sampling: Sampling,
    /// What counts as a finding.
    pub judge: Judge,
    /// Growth that is filed already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<Known>,
    /// What must not be exceeded.
    pub thresholds: Vec<Threshold>,
    /// What is written beside the report.
    #[serde(default, skip_serializing_if = "ReportFiles::is_empty")]
    pub report: ReportFiles,
}

impl Scenario {
    /// Whether some axis has the allocator of this name.
    #[must_use]
    pub fn has_allocator(&self, name: &str) -> bool {
        self.axes.iter().any(|axis| axis.kind == AxisKind::Allocator && axis.values.iter().any(|value| value == name))
    }

    /// The variables of the environment that hold secrets, each with the key that names it.
    #[must_use]
    pub fn secret_variables(&self) -> Vec<(String, String)> {
        let auth = self.http.auth.iter().map(|auth| ("http.auth".to_owned(), auth.variable().to_owned()));
        let headers = self.requests.iter().enumerate().flat_map(|(index, request)| {
            let names = request.headers.values().flat_map(Template::names).filter_map(variable_of);
            names.map(move |name| (format!("requests[{index}].headers"), name.to_owned()))
        });
        auth.chain(headers).collect()
    }

    /// What arrivals are picked from: requests and flows, with their own weights.
    pub fn weights(&self) -> impl Iterator<Item = (&str, f64)> + Clone {
        let of_requests = self.requests.iter().map(|request| (request.name.as_str(), request.weight));
        of_requests.chain(self.flows.iter().map(|flow| (flow.name.as_str(), flow.weight)))
    }

    /// How long the load of one cell lasts.
    #[must_use]
    pub fn soak_duration(&self) -> Duration {
        self.phases.iter().map(|phase| phase.duration).sum()
    }

    /// The files that its traffic is made of, each with the key that names it.
    pub fn traffic_files(&self) -> impl Iterator<Item = (String, &str)> {
        let phases = self.phases.iter().enumerate().filter_map(|(index, phase)| match &phase.shape {
            Shape::FromFile { path, .. } => Some((format!("phases[{index}].path"), path.as_str())),
            _ => None,
        });
        let bodies = self.requests.iter().enumerate();
        let bodies = bodies.filter_map(|(index, request)| {
            Some((format!("requests[{index}].body_file"), request.body_file.as_deref()?))
        });
        let calls = self.requests.iter().enumerate().filter_map(|(index, request)| {
            let descriptors = request.grpc.as_ref()?.descriptors.as_deref()?;
            Some((format!("requests[{index}].grpc.descriptors"), descriptors))
        });
        let params = self.params.iter().filter_map(|(name, param)| match param {
            Param::Csv { path, .. } | Param::Jsonl { path, .. } => Some((format!("params.{name}.path"), path.as_str())),
            _ => None,
        });
        phases.chain(bodies).chain(calls).chain(params)
    }

    /// Draws the rates of its phases that are in files. Flaws are reported with the key that they are about, and leave
    /// the phase without requests.
    pub fn supply(&mut self, supplies: &Supplies) -> Vec<(String, Flaw)> {
        let mut flaws = Vec::new();
        for (index, phase) in self.phases.iter_mut().enumerate() {
            let Shape::FromFile { path, repeat, stretches } = &mut phase.shape else { continue };
            let rates = supplies.text(path).and_then(|text| Rates::parse(path, text));
            match rates.and_then(|rates| rates.over(phase.duration, *repeat)) {
                Ok(drawn) => *stretches = drawn,
                Err(flaw) => flaws.push((format!("phases[{index}].path"), flaw)),
            }
        }
        flaws
    }
}
