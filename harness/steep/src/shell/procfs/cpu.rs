//! Who has the CPUs: `/proc/stat`, `/proc/pressure/cpu`, `schedstat` and the CPU controller of cgroups, as text.

use std::time::Duration;

/// What some CPUs did since boot, in clock ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuTicks {
    /// Ran something: user, nice, system, and interrupts. What guests ran is in user already.
    pub busy: u64,
    /// Given to other virtual machines.
    pub steal: u64,
}

/// Sums the lines `cpuN user nice system idle iowait irq softirq steal …` of `/proc/stat` over those CPUs that
/// `is_wanted`; none where no such line is there.
#[must_use]
pub fn ticks(stat: &str, is_wanted: impl Fn(usize) -> bool) -> Option<CpuTicks> {
    let mut found = None;
    for line in stat.lines() {
        let Some((number, times)) = line.strip_prefix("cpu").and_then(|line| line.split_once(' ')) else { continue };
        let Ok(number) = number.parse() else { continue };
        if !is_wanted(number) {
            continue;
        }
        let times: Vec<u64> = times.split_ascii_whitespace().map_while(|ticks| ticks.parse().ok()).collect();
        let [user, nice, system, _, _, irq, softirq, steal, ..] = times[..] else { continue };
        let sum: &mut CpuTicks = found.get_or_insert_default();
        sum.busy += user + nice + system + irq + softirq;
        sum.steal += steal;
    }
    found
}

/// How long some task waited for a CPU, since boot: `some avg10=0.00 avg60=0.00 avg300=0.00 total=4711`, in
/// microseconds.
#[must_use]
pub fn pressure(text: &str) -> Option<Duration> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let total = some.split_ascii_whitespace().find_map(|field| field.strip_prefix("total="))?;
    total.parse().ok().map(Duration::from_micros)
}

/// How long a thread ran, and how long it waited for a CPU: `schedstat` of a task, nanoseconds, and a count of slices.
#[must_use]
pub fn schedule(schedstat: &str) -> Option<(Duration, Duration)> {
    let mut fields = schedstat.split_ascii_whitespace().map(|field| field.parse().ok().map(Duration::from_nanos));
    Some((fields.next()??, fields.next()??))
}

/// CPUs that a cgroup of version 2 may use: `cpu.max` is `max 100000` or `150000 100000`. None without a limit.
#[must_use]
pub fn quota(cpu_max: &str) -> Option<f64> {
    let (quota, period) = cpu_max.trim().split_once(' ')?;
    cpus(quota.parse().ok()?, period.parse().ok()?)
}

/// The same of version 1, from `cpu.cfs_quota_us` (`-1`: none) and `cpu.cfs_period_us`.
#[must_use]
pub fn quota_v1(quota: &str, period: &str) -> Option<f64> {
    cpus(quota.trim().parse().ok()?, period.trim().parse().ok()?)
}

fn cpus(quota: i64, period: i64) -> Option<f64> {
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

/// How long the quota held up who wanted to run, from `cpu.stat` of either version.
#[must_use]
pub fn throttled(cpu_stat: &str) -> Option<Duration> {
    let v2 = super::counter(cpu_stat, "throttled_usec").map(Duration::from_micros);
    v2.or_else(|| super::counter(cpu_stat, "throttled_time").map(Duration::from_nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  30 3 300 3000 9 3 3 6 5 0\ncpu0 10 1 100 1000 3 1 1 2 5 0\ncpu1 20 2 200 2000 6 2 2 4 0 0\n\
                        cpu12 1 1 1 1 1 1 1 1 0 0\nintr 7 7\nctxt 9\n";

    #[test]
    fn the_wanted_cpus_are_summed_and_neither_idleness_nor_the_line_of_all_is() {
        assert_eq!(ticks(STAT, |cpu| cpu == 1), Some(CpuTicks { busy: 226, steal: 4 }));
        assert_eq!(ticks(STAT, |cpu| cpu < 2), Some(CpuTicks { busy: 339, steal: 6 }));
        assert_eq!(ticks(STAT, |cpu| cpu == 7), None);
        assert_eq!(ticks("", |_| true), None);
    }

    #[test]
    fn pressure_is_the_total_of_some() {
        let text = "some avg10=80.72 avg60=27.18 avg300=8.90 total=8864937831\nfull avg10=0.00 total=5\n";
        assert_eq!(pressure(text), Some(Duration::from_micros(8_864_937_831)));
        assert_eq!(pressure("full avg10=0.00 total=5\n"), None);
    }

    #[test]
    fn a_thread_ran_and_waited() {
        let expected = Some((Duration::from_nanos(34), Duration::from_nanos(75_631)));
        assert_eq!(schedule("34 75631 1\n"), expected);
        assert_eq!(schedule(""), None);
    }

    #[test]
    fn quotas_of_both_versions_are_read_and_none_is_none() {
        assert_eq!((quota("150000 100000\n"), quota("max 100000\n")), (Some(1.5), None));
        assert_eq!((quota_v1("50000\n", "100000\n"), quota_v1("-1\n", "100000\n")), (Some(0.5), None));
        let stat = "usage_usec 1\nnr_periods 3\nnr_throttled 2\nthrottled_usec 1500\n";
        assert_eq!(throttled(stat), Some(Duration::from_micros(1500)));
        assert_eq!(
            throttled("nr_periods 3\nnr_throttled 2\nthrottled_time 1500000\n"),
            Some(Duration::from_micros(1500))
        );
        assert_eq!(throttled("usage_usec 1\n"), None);
    }
}
