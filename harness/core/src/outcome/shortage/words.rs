//! A shortage in words: who, with the figures that show it, and what to change.

use std::fmt;

use super::{Evidence, Short, Shortage, Side, Waiting};

/// A smaller share of the time, or of a CPU, is not told.
const LEAST_TOLD: f64 = 0.05;
/// What to change about a host that is shared.
const FEWER_BESIDE: &str = "run less beside it, or on another machine";
const LOWER_RATE: &str = "lower the rates in [[phases]]";
const PINNED: &str = "give the driver a CPU of its own (load.cpus, and the others to the service by service.cpus)";

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(evidence) = &self.evidence else {
            return match self.who.as_slice() {
                [Short::Asleep] => f.write_str("The host slept meanwhile: keep it awake during a soak"),
                _ => f.write_str(
                    "Who was short of CPU cannot be known: the trace has no figures of the host, because an older steep recorded it or the system tells none",
                ),
            };
        };
        let described: Vec<String> = self.who.iter().map(|who| evidence.described(*who)).collect();
        write!(f, "Who was short while load was missing: {}. What to change: ", described.join("; "))?;
        let mut advice: Vec<&str> = Vec::new();
        for piece in self.who.iter().flat_map(|who| evidence.advice(*who)) {
            if !advice.contains(&piece) {
                advice.push(piece);
            }
        }
        f.write_str(&advice.join("; or "))
    }
}

impl Evidence {
    fn described(&self, who: Short) -> String {
        match who {
            Short::Host => self.host(),
            Short::Quota => format!(
                "the CPU quota of steep's cgroup, which is {:.1} CPUs and held up who wanted to run for {}",
                self.available.quota.unwrap_or_default(),
                percent(self.throttled.unwrap_or_default())
            ),
            Short::Service => format!(
                "the service, of CPU: it used {} of {}{}",
                cpus(self.service_cpus.unwrap_or_default()),
                all(&self.service_side),
                if self.service_side.is_full() { "" } else { ", as much as one busy thread can use" }
            ),
            Short::Driver => self.driver(),
            Short::Answers => self.answers(),
            Short::Asleep => "the host, which slept meanwhile".to_owned(),
            Short::Unknown if self.service_side.is_full() => format!(
                "it cannot be known: all of {} were busy, and what the service used of them is lost with the processes that it replaced",
                all(&self.service_side)
            ),
            Short::Unknown => format!(
                "it cannot be known: {} of {} were busy, and steep was late all the same, as one that was stopped or waited for a disk",
                cpus(self.service_side.busy),
                all(&self.service_side)
            ),
        }
    }

    fn host(&self) -> String {
        let driver = self.driver_side.filter(|side| side.is_taken() && !self.service_side.is_taken());
        let side = driver.unwrap_or(self.service_side);
        let beside = if self.has_dependencies { ", dependencies of the service among them," } else { "" };
        let service = self.service_cpus.map_or_else(String::new, |used| format!(", the service {}", cpus(used)));
        let mut described = format!(
            "the host: other programs{beside} used {} of {}{service}, steep {}",
            cpus(side.others.unwrap_or_default()),
            all(&side),
            cpus(self.steep_cpus)
        );
        if side.stolen >= LEAST_TOLD {
            described += &format!(", and its own host gave {} to other machines (steal)", cpus(side.stolen));
        }
        described + &self.waiting()
    }

    fn answers(&self) -> String {
        let used = cpus(self.service_cpus.unwrap_or_default());
        let of = all(&self.service_side);
        let few = self.connections.map_or_else(String::new, |open| format!(", or the {open} connections are too few"));
        let elsewhere =
            format!("waits for something else, such as a lock, a disk, another service or a limit of its own{few}");
        if self.service_side.is_taken() {
            return format!(
                "perhaps nobody of CPU: on the same CPUs steep was on time, and the service used {used}: it may be that it {elsewhere}"
            );
        }
        let (steep, waiting) = (cpus(self.steep_cpus), self.waiting());
        format!("nobody of CPU (the service used {used} of {of}, steep {steep}): the service {elsewhere}{waiting}")
    }

    /// What tasks of the host waited for, where that is worth a word.
    fn waiting(&self) -> String {
        let Some(Waiting { cpu, memory, io }) = self.pressure else { return String::new() };
        let waits = [(cpu, "a CPU"), (memory, "memory"), (io, "a disk")];
        let described: Vec<String> = waits
            .iter()
            .filter(|(share, _)| *share >= LEAST_TOLD)
            .map(|(share, what)| format!("for {what} {} of the time", percent(*share)))
            .collect();
        if described.is_empty() { String::new() } else { format!("; tasks waited {} (PSI)", described.join(", ")) }
    }

    fn driver(&self) -> String {
        let waited = percent(self.driver_waited.unwrap_or_default());
        let ran = percent(self.driver_cpus.unwrap_or_default());
        format!("steep's driver, whose one thread waited for a CPU {waited} of the time and ran {ran}")
    }

    fn advice(&self, who: Short) -> Vec<&'static str> {
        match who {
            Short::Host | Short::Unknown => vec![FEWER_BESIDE, LOWER_RATE],
            Short::Quota => vec!["raise the quota", LOWER_RATE],
            Short::Service => vec![LOWER_RATE, "give the service more CPUs or threads, where production does"],
            Short::Driver if self.driver_side.is_some() => vec![LOWER_RATE],
            Short::Driver => vec![PINNED, LOWER_RATE],
            Short::Answers => vec![
                "look what the service waits for",
                "raise http.connections and load.max_in_flight, where production has as many",
                LOWER_RATE,
            ],
            Short::Asleep => vec!["keep the host awake during a soak"],
        }
    }
}

fn cpus(used: f64) -> String {
    if used.fract() == 0.0 { format!("{used:.0}") } else { format!("{used:.1}") }
}

/// `2 CPUs`.
fn all(side: &Side) -> String {
    format!("{} CPU{}", cpus(side.cpus), if side.cpus < 1.5 { "" } else { "s" })
}

fn percent(share: f64) -> String {
    format!("{:.0} %", (share * 100.0).min(100.0))
}
