//! What rises beside memory: completed requests by name, connections. Those that rise together cannot be told apart.

use crate::kept::TOGETHER;
use steep_judge::stats::together::together;

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

/// `counters`, those as one that always rise in the same proportion. The counts of a group are those of its first
/// member: one of each is one run through all of them.
pub(super) fn grouped(counters: Vec<Counter>) -> Vec<Counter> {
    let (requests, others): (Vec<Counter>, Vec<Counter>) =
        counters.into_iter().partition(|counter| counter.of == Of::Requests);
    let counts: Vec<Vec<f64>> = requests.iter().map(|counter| counter.counts.clone()).collect();
    let named = |group: Vec<usize>| {
        let names: Vec<&str> = group.iter().map(|place| requests[*place].name.as_str()).collect();
        Counter { name: names.join(TOGETHER), ..requests[group[0]].clone() }
    };
    together(&counts).into_iter().map(named).chain(others).collect()
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
}
