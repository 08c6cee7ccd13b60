//! What rises beside memory: completed requests by name, connections. Those that rise together cannot be told apart.

/// Something that is counted, at each sample.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Counter {
    /// What it is.
    pub name: String,
    /// What it counts.
    pub of: Of,
    /// Its value at each sample; never less than before.
    pub counts: Vec<f64>,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Requests of a name, or of several.
    Requests,
    /// Connections that were opened.
    Connections,
}

/// Two counters are one if what is left of them beside a straight rise correlates above this: of Poisson arrivals of a
/// hundred each independent ones do with a chance far below one in a million, while steps of a flow that nobody leaves
/// early do throughout.
const TOGETHER: f64 = 0.97;

/// `counters`, those as one that always rise in the same proportion. The counts of a group are those of its first
/// member: one of each is one run through all of them.
pub(super) fn grouped(counters: Vec<Counter>) -> Vec<Counter> {
    let mut groups: Vec<(Vec<f64>, Counter)> = Vec::new();
    for counter in counters {
        let swing = swing(&counter.counts);
        let same = |(other, group): &&mut (Vec<f64>, Counter)| {
            group.of == counter.of && swing.iter().zip(other).map(|(one, other)| one * other).sum::<f64>() > TOGETHER
        };
        match groups.iter_mut().find(|group| same(group)) {
            Some((_, group)) => group.name = format!("{} + {}", group.name, counter.name),
            None => groups.push((swing, counter)),
        }
    }
    groups.into_iter().map(|(_, counter)| counter).collect()
}

/// What is left of `counts` beside a straight rise, of length 1.
fn swing(counts: &[f64]) -> Vec<f64> {
    let (first, last) = (counts.first().copied().unwrap_or(0.0), counts.last().copied().unwrap_or(0.0));
    let steps = counts.len().saturating_sub(1).max(1) as f64;
    let rest = counts.iter().zip(0_u32..).map(|(count, at)| count - first - (last - first) * f64::from(at) / steps);
    let rest: Vec<f64> = rest.collect();
    let length = rest.iter().map(|rest| rest * rest).sum::<f64>().sqrt();
    rest.iter().map(|rest| rest / length.max(f64::MIN_POSITIVE)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(name: &str, of: Of, steps: &[f64]) -> Counter {
        let mut total = 0.0;
        let counts = steps.iter().map(|step| {
            total += step;
            total
        });
        Counter { name: name.to_owned(), of, counts: counts.collect() }
    }

    #[test]
    fn steps_of_one_flow_are_one_and_others_are_not() {
        let pattern = [3.0, 9.0, 1.0, 7.0, 2.0, 8.0, 8.0, 0.0, 5.0, 4.0];
        let other = [5.0, 4.0, 8.0, 1.0, 9.0, 0.0, 3.0, 8.0, 2.0, 7.0];
        let found = grouped(vec![
            counter("login", Of::Requests, &pattern),
            counter("search", Of::Requests, &other),
            counter("pay", Of::Requests, &pattern.map(|step| 2.0 * step)),
            counter("connection", Of::Connections, &pattern),
        ]);
        let names: Vec<&str> = found.iter().map(|counter| counter.name.as_str()).collect();
        assert_eq!(names, ["login + pay", "search", "connection"]);
        assert_eq!(found[0].counts, counter("login", Of::Requests, &pattern).counts);
    }

    #[test]
    fn what_rises_evenly_goes_with_nothing() {
        let even = [2.0; 10];
        let found = grouped(vec![counter("one", Of::Requests, &even), counter("two", Of::Requests, &even)]);
        assert_eq!(found.len(), 2);
    }
}
