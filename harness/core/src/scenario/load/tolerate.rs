//! What a cell may miss of its load and still be judged: its type, keys, decoding and checks.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::scenario::check::Check;
use crate::scenario::read::{Reader, Section};
use crate::scenario::schema::{Key, Kind, LONGEST, Presence, key};
use crate::scenario::{Expect, GrpcStatus, Request, Scenario};
use steep_judge::units::seconds;

/// What a cell may miss of its load and still be judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tolerate {
    /// Share of the due requests that may be missed or dropped.
    pub undelivered: f64,
    /// Share of the sent requests that may fail.
    pub failed: f64,
    /// How late the driver may be with 1 % of what it sends.
    #[serde(rename = "lateness_s", with = "seconds")]
    pub lateness: Duration,
}

impl Default for Tolerate {
    /// The defaults of the keys say the same, which a test compares. What an older trace was judged by.
    fn default() -> Self {
        Self { undelivered: 0.01, failed: 0.05, lateness: Duration::from_millis(50) }
    }
}

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("load.tolerate", Kind::Table, Presence::Default("{}"), "What a cell may miss of its load and still be judged; beyond it the cell is `invalid`. A cell without any answer as expected always is, and one in which all answers refuse (400 and above) is never cleared."),
    key("load.tolerate.undelivered", Kind::Number, Presence::Default("0.01"), "Share of the due requests that may be missed (steep had no CPU) or dropped (too many in flight)."),
    key("load.tolerate.failed", Kind::Number, Presence::Default("0.05"), "Share of the sent requests that may fail."),
    key("load.tolerate.lateness", Kind::Duration(1, LONGEST), Presence::Default("\"50ms\""), "How late steep may turn to 1 % of what it sends."),
];

pub(in crate::scenario) fn tolerate(reader: &mut Reader, top: &Section<'_>) -> Tolerate {
    let load = &reader.table(top, "load");
    let section = &reader.table(load, "tolerate");
    let standard = Tolerate::default();
    Tolerate {
        undelivered: reader.number(section, "undelivered").unwrap_or(standard.undelivered),
        failed: reader.number(section, "failed").unwrap_or(standard.failed),
        lateness: reader.duration(section, "lateness").unwrap_or(standard.lateness),
    }
}

/// Statuses from here on refuse what was asked.
const REFUSAL: u16 = 400;

impl Check<'_> {
    pub(in crate::scenario) fn tolerate(&mut self, scenario: &Scenario) {
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
}
