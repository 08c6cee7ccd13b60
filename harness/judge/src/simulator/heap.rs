//! A toy allocator, and the filters by which memory follows what is asked of it.

/// Size of a page.
const PAGE: f64 = 4096.0;

/// Memory as the kernel sees it: grows at once with what is live, is given back with time constant `decay` in seconds
/// (0: at once, infinite: never), and comes in whole chunks.
pub(super) fn resident(live: &[f64], decay: f64, chunk: f64) -> Vec<f64> {
    let keep = if decay > 0.0 { (-1.0 / decay).exp() } else { 0.0 };
    let quantum = chunk.max(PAGE);
    let mut held = f64::NEG_INFINITY;
    live.iter()
        .map(|&live| {
            held = if held > live { live + (held - live) * keep } else { live };
            (held / quantum).ceil() * quantum
        })
        .collect()
}

/// `y[i] = x[i] + keep · y[i−1]`.
pub(super) fn recurse(values: &[f64], keep: f64) -> Vec<f64> {
    let mut last = 0.0;
    values
        .iter()
        .map(|value| {
            last = value + keep * last;
            last
        })
        .collect()
}

/// An exponential average that takes `gain` of each new value.
pub(super) fn follow(values: &[f64], gain: f64) -> Vec<f64> {
    recurse(values, 1.0 - gain).into_iter().map(|value| gain * value).collect()
}

/// The highest value so far.
pub(super) fn high_water(values: &[f64]) -> Vec<f64> {
    let mut highest = f64::NEG_INFINITY;
    values
        .iter()
        .map(|&value| {
            highest = highest.max(value);
            highest
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_at_once_slowly_or_never() {
        let live = [1.0, 3.0, 1.0, 1.0].map(|pages| pages * PAGE);
        let pages = |decay: f64| resident(&live, decay, PAGE).into_iter().map(|bytes| bytes / PAGE).collect::<Vec<_>>();
        assert_eq!(pages(0.0), [1.0, 3.0, 1.0, 1.0]);
        assert_eq!(pages(f64::INFINITY), [1.0, 3.0, 3.0, 3.0]);
        // e^(−1/2) of two pages is 1.2, in whole pages 2; then e^(−1) of two is 0.7.
        assert_eq!(pages(2.0), [1.0, 3.0, 3.0, 2.0]);
    }

    #[test]
    fn filters_have_their_closed_form() {
        assert_eq!(recurse(&[1.0, 0.0, 0.0], 0.5), [1.0, 0.5, 0.25]);
        assert_eq!(follow(&[1.0, 1.0], 0.25), [0.25, 0.4375]);
        assert_eq!(high_water(&[2.0, 1.0, 3.0]), [2.0, 2.0, 3.0]);
    }
}
