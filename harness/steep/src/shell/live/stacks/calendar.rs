//! What was asked while the stacks were followed, in bins of time, so that births can be laid beside it.

use std::collections::BTreeMap;

use steep_core::kept::Bins;
use steep_judge::units::SinceStart;

/// Edges of bins that are kept. When there are as many, every other one goes, and half as many come.
const EDGES: usize = 1_280;

/// Names of requests that are kept; where there are more, none are: too few survivors are of each.
const NAMES: usize = 40;

/// Completed requests of each name at moments, in at most [`EDGES`] × [`NAMES`] numbers.
#[derive(Debug, Clone)]
pub(super) struct Calendar {
    edges: Vec<SinceStart>,
    /// Of each name at each edge, from the start of the load.
    completed: BTreeMap<String, Vec<u64>>,
    /// One of this many moments is an edge.
    stride: u64,
    seen: u64,
}

impl Default for Calendar {
    fn default() -> Self {
        Self { edges: Vec::new(), completed: BTreeMap::new(), stride: 1, seen: 0 }
    }
}

impl Calendar {
    /// Until `at` these requests were completed.
    pub(super) fn mark(&mut self, at: SinceStart, completed: &BTreeMap<String, u64>) {
        self.seen += 1;
        if !(self.seen - 1).is_multiple_of(self.stride) {
            return;
        }
        if self.edges.len() == EDGES {
            self.stride *= 2;
            halve(&mut self.edges);
            self.completed.values_mut().for_each(halve);
            if !(self.seen - 1).is_multiple_of(self.stride) {
                return;
            }
        }
        let before = self.edges.len();
        self.edges.push(at);
        for (name, count) in completed {
            if let Some(counts) = self.completed.get_mut(name) {
                counts.push(*count);
            } else if self.completed.len() <= NAMES {
                let counts = std::iter::repeat_n(0, before).chain([*count]).collect();
                self.completed.insert(name.clone(), counts);
            }
        }
        // A name that is missing once stays as it was.
        for counts in self.completed.values_mut().filter(|counts| counts.len() <= before) {
            counts.push(counts.last().copied().unwrap_or(0));
        }
    }

    /// The bins until `end`; none where there is none, or too many names.
    pub(super) fn bins(&self, end: SinceStart) -> Option<Bins> {
        let count = self.edges.partition_point(|edge| *edge <= end);
        if count < 2 || self.completed.len() > NAMES {
            return None;
        }
        let between = |counts: &Vec<u64>| {
            counts[..count].windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect::<Vec<u64>>()
        };
        let requests = self.completed.iter().map(|(name, counts)| (name.clone(), between(counts)));
        Some(Bins { edges_s: self.edges[..count].to_vec(), requests: requests.collect() })
    }
}

fn halve<T: Copy>(values: &mut Vec<T>) {
    *values = values.iter().step_by(2).copied().collect();
}

/// How many of `births_ms`, milliseconds on the cell's clock, fall into each of `bins`: the numbers of those in which
/// any do.
pub(super) fn counted(births_ms: &[u32], bins: &Bins) -> BTreeMap<u32, u32> {
    let mut counted = BTreeMap::new();
    let last = bins.edges_s.len().saturating_sub(1);
    for birth in births_ms {
        let after = bins.edges_s.partition_point(|edge| edge.elapsed().as_millis() <= u128::from(*birth));
        if (1..=last).contains(&after) {
            *counted.entry((after - 1) as u32).or_insert(0) += 1;
        }
    }
    counted
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(milliseconds: u64) -> SinceStart {
        SinceStart::new(Duration::from_millis(milliseconds))
    }

    fn completed(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
        of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn bins_say_what_was_asked_between_their_edges() {
        let mut calendar = Calendar::default();
        calendar.mark(at(1_000), &completed(&[("get", 10)]));
        calendar.mark(at(2_000), &completed(&[("get", 30), ("login", 2)]));
        calendar.mark(at(3_000), &completed(&[("get", 35), ("login", 2)]));
        calendar.mark(at(4_000), &completed(&[("get", 50), ("login", 9)]));
        // Births are known until the third look.
        let bins = calendar.bins(at(3_000)).expect("bins");
        assert_eq!(bins.edges_s, [at(1_000), at(2_000), at(3_000)]);
        assert_eq!((bins.requests["get"].as_slice(), bins.requests["login"].as_slice()), (&[20, 5][..], &[2, 0][..]));
        let births = [999, 1_000, 1_999, 2_500, 3_000, 7_000];
        assert_eq!(counted(&births, &bins).into_iter().collect::<Vec<_>>(), [(0, 2), (1, 1)]);
        assert_eq!(calendar.bins(at(1_500)), None);
    }

    #[test]
    fn a_long_soak_has_wider_bins_and_no_more_of_them() {
        let mut calendar = Calendar::default();
        for second in 0..20_000 {
            calendar.mark(at(second * 1_000), &completed(&[("get", 7 * second)]));
        }
        let bins = calendar.bins(at(u64::from(u32::MAX))).expect("bins");
        assert!((EDGES / 2..=EDGES).contains(&bins.edges_s.len()), "{}", bins.edges_s.len());
        assert!(bins.edges_s.windows(2).all(|edge| edge[1].since(edge[0]) == Duration::from_secs(16)));
        assert!(bins.requests["get"].iter().all(|count| *count == 7 * 16));
    }

    #[test]
    fn of_too_many_names_nothing_is_kept() {
        let mut calendar = Calendar::default();
        let names: Vec<String> = (0..60).map(|number| format!("r{number}")).collect();
        let many: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        calendar.mark(at(0), &completed(&many));
        calendar.mark(at(1_000), &completed(&many));
        assert!(calendar.bins(at(1_000)).is_none() && calendar.completed.len() <= NAMES + 1);
    }
}
