//! What is seen of a service under load beside its memory: the lines of its log that are events, and its own series.
//!
//! Nothing here makes a sample wait: series are asked for by a task of their own, of which there is one at most.

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::shell::loopback::Client;
use crate::shell::probe::{self, ProbeError};
use crate::shell::service::RunningService;
use steep_core::log_lines::LogLines;
use steep_core::scenario::{Metrics, Scenario};
use steep_core::scraping::Scraping;
use steep_core::trace::Record;
use steep_judge::units::SinceStart;

/// Samples come a little early or late: a reading is due this much before its time.
const EARLY: Duration = Duration::from_millis(100);

/// What is seen of one service.
#[derive(Debug)]
pub(super) struct Observed {
    scraper: Option<Scraper>,
}

/// Asks for the service's series.
#[derive(Debug)]
struct Scraper {
    client: Client,
    metrics: Metrics,
    scraping: Scraping,
    /// When it was asked last.
    asked_at: Option<SinceStart>,
    answer: Option<JoinHandle<Result<String, ProbeError>>>,
}

impl Observed {
    /// The load of `service` begins at `origin`: what it logs from now on may be an event.
    pub(super) fn begin(service: &RunningService, scenario: &Scenario, origin: Instant) -> Self {
        let events = &scenario.service.log_events;
        if !events.is_empty() {
            service.process.watch_lines(LogLines::new(events), origin);
        }
        let scraper = scenario.service.metrics.as_ref().map(|metrics| Scraper {
            client: service.client.clone(),
            metrics: metrics.clone(),
            scraping: Scraping::new(metrics),
            asked_at: None,
            answer: None,
        });
        Self { scraper }
    }

    /// What was seen since this was asked last; with each sample.
    pub(super) async fn records(&mut self, service: &RunningService, now: SinceStart) -> Vec<Record> {
        let mut records = of_log(service, now);
        if let Some(scraper) = &mut self.scraper {
            records.extend(scraper.heard().await);
            scraper.ask(now);
        }
        records
    }

    /// What is left to be said at the end. A service that has ended has no answers any more, and that is not a failure.
    pub(super) fn last_records(&mut self, service: &RunningService, now: SinceStart) -> Vec<Record> {
        let mut records = of_log(service, now);
        if let Some(scraper) = &mut self.scraper {
            records.extend(scraper.scraping.finish(now).map(Record::Metrics));
        }
        records
    }
}

fn of_log(service: &RunningService, now: SinceStart) -> Vec<Record> {
    let (lines, floods) = service.process.take_lines(|lines| lines.take(now)).unwrap_or_default();
    let lines = lines.into_iter().map(Record::LogEvent);
    lines.chain(floods.into_iter().map(Record::LogFlood)).collect()
}

impl Scraper {
    /// What the service has answered; none: it has not yet, or nothing changed.
    async fn heard(&mut self) -> Option<Record> {
        let answer = self.answer.take_if(|answer| answer.is_finished())?;
        let asked_at = self.asked_at?;
        match answer.await {
            Ok(Ok(text)) => self.scraping.answered(asked_at, &text).map(Record::Metrics),
            Ok(Err(error)) => {
                self.scraping.failed(&error.to_string());
                None
            }
            Err(_) => None,
        }
    }

    fn ask(&mut self, now: SinceStart) {
        let is_due = self.asked_at.is_none_or(|asked| now.since(asked) + EARLY >= self.metrics.every);
        if self.answer.is_none() && is_due {
            let (client, path) = (self.client.clone(), self.metrics.path.clone());
            self.asked_at = Some(now);
            self.answer = Some(tokio::spawn(async move { probe::ask(&client, &path).await }));
        }
    }
}

impl Drop for Scraper {
    fn drop(&mut self) {
        if let Some(answer) = &self.answer {
            answer.abort();
        }
    }
}
