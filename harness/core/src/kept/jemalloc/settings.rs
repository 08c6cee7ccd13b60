//! Settings of jemalloc, as `MALLOC_CONF` has them.

use std::collections::BTreeMap;

use crate::scenario::{Phase, Shape};

/// What the name of the variable ends with: before it stands what the allocator was built with, as `_RJEM_` of
/// tikv-jemallocator.
const VARIABLE: &str = "MALLOC_CONF";

/// What a service allocates for a request, where nothing is known of it: the sample shop takes 12 KiB.
const BYTES_PER_REQUEST: f64 = 8.0 * 1024.0;

/// Seconds from one profile to the next, of such a service. Writing one takes some milliseconds.
const EVERY_S: f64 = 2.0;

/// Bytes from one profile to the next: the fewest, the most, and where the rate is not known.
const FEWEST: u64 = 1 << 20;
const MOST: u64 = 1 << 30;
const UNKNOWN: u64 = 1 << 25;

/// The variable of `env` that asks jemalloc to profile (`prof:true`), and what it says.
#[must_use]
pub fn profiled_by(env: &BTreeMap<String, Option<String>>) -> Option<(&str, &str)> {
    let of_jemalloc = env.iter().filter(|(name, _)| name.ends_with(VARIABLE));
    of_jemalloc
        .filter_map(|(name, said)| Some((name.as_str(), said.as_deref()?)))
        .find(|(_, said)| value(said, "prof") == Some("true"))
}

/// What `settings` say of `option`; the last word counts, as in jemalloc.
fn value<'s>(settings: &'s str, option: &str) -> Option<&'s str> {
    let mut pairs = settings.rsplit(',').filter_map(|pair| pair.split_once(':'));
    pairs.find(|(name, _)| *name == option).map(|(_, value)| value)
}

/// Bytes that a service allocates from one profile to the next in a soak of `phases`, if it takes some 8 KiB for each
/// request and a profile is wanted each two seconds.
#[must_use]
pub fn expected_bytes_between(phases: &[Phase]) -> u64 {
    let is_known = |phase: &Phase| !matches!(phase.shape, Shape::Users { .. } | Shape::External);
    if !phases.iter().all(is_known) {
        return UNKNOWN;
    }
    let peak = phases.iter().map(|phase| phase.shape.peak().get()).fold(0.0, f64::max);
    ((peak * BYTES_PER_REQUEST * EVERY_S) as u64).clamp(FEWEST, MOST)
}

/// How jemalloc is to profile.
#[derive(Debug, Clone, Copy)]
pub struct Profiling<'p> {
    /// What the paths of its files begin with.
    pub prefix: &'p str,
    /// Mean bytes between two samples.
    pub sample_every: u64,
    /// Bytes that are allocated from one profile to the next.
    pub write_every: u64,
}

impl Profiling<'_> {
    /// The settings `said`, so that profiles are written: what they say of how often is left as it is. None where the
    /// path has a comma, by which jemalloc would take it for two settings.
    #[must_use]
    pub fn added_to(&self, said: &str) -> Option<String> {
        if self.prefix.contains(',') {
            return None;
        }
        let mut settings = format!("{said},prof_prefix:{}", self.prefix);
        let more = [
            ("lg_prof_sample", self.sample_every.max(1).ilog2().to_string()),
            ("lg_prof_interval", self.write_every.max(1).ilog2().to_string()),
            // With what was allocated and freed again, for hot spots.
            ("prof_accum", "true".to_owned()),
        ];
        for (option, default) in more {
            if value(said, option).is_none() {
                settings += &format!(",{option}:{default}");
            }
        }
        Some(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{decoded, sound};

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, Option<String>> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect()
    }

    #[test]
    fn a_service_is_profiled_where_its_settings_say_so_last() {
        let of = |said: &str| profiled_by(&env(&[("OTHER", "prof:true"), ("_RJEM_MALLOC_CONF", said)])).is_some();
        assert!(of("prof:true") && of("abort_conf:true,prof:true,lg_prof_sample:17") && of("prof:false,prof:true"));
        assert!(!of("prof_active:true") && !of("prof:true,prof:false") && !of(""));
        let unset = BTreeMap::from([("MALLOC_CONF".to_owned(), None)]);
        assert_eq!(profiled_by(&unset), None);
        assert_eq!(profiled_by(&env(&[("MALLOC_CONF", "prof:true")])), Some(("MALLOC_CONF", "prof:true")));
    }

    #[test]
    fn what_the_service_says_of_how_often_is_left_and_where_is_steep_s() {
        let profiling = Profiling { prefix: "/runs/a/jeprof", sample_every: 64 << 10, write_every: 5 << 20 };
        assert_eq!(
            profiling.added_to("prof:true").as_deref(),
            Some("prof:true,prof_prefix:/runs/a/jeprof,lg_prof_sample:16,lg_prof_interval:22,prof_accum:true")
        );
        assert_eq!(
            profiling.added_to("prof:true,lg_prof_interval:30,prof_prefix:/x,prof_accum:false").as_deref(),
            Some(
                "prof:true,lg_prof_interval:30,prof_prefix:/x,prof_accum:false,prof_prefix:/runs/a/jeprof,lg_prof_sample:16"
            )
        );
        assert_eq!(Profiling { prefix: "/runs/a,b/jeprof", ..profiling }.added_to("prof:true"), None);
    }

    #[test]
    fn a_service_that_is_asked_more_allocates_more_from_one_profile_to_the_next() {
        let at = |rate: u32| {
            let text = sound("1m", "").replace("rate = 100", &format!("rate = {rate}"));
            expected_bytes_between(&decoded(&text).phases)
        };
        assert_eq!([at(1), at(200), at(1_000), at(1_000_000)], [1 << 20, 3_276_800, 16_384_000, 1 << 30]);
    }
}
