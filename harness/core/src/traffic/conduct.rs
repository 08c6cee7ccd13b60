//! Which requests the client goes away from: a share of a kind, chosen by the seed and the number of the request, so
//! that it is the same choice in every cell. Pure.

use crate::scenario::{Abort, Request};
use steep_judge::units::Seed;

use super::draw::mixed;
use super::stream::{Stream, share_of};

/// Chooses among the requests of one kind.
#[derive(Debug, Clone)]
pub struct Aborts {
    abort: Abort,
    key: u64,
}

impl Aborts {
    /// Those of `request`; none where none is left early.
    #[must_use]
    pub fn of(request: &Request, seed: Seed) -> Option<Self> {
        let abort = request.conduct.as_ref()?.abort?;
        Some(Self { abort, key: Stream::new(seed, &format!("abort {}", request.name)).bits() })
    }

    /// How the `nth` of all due requests is left; none if its answer is waited for.
    #[must_use]
    pub fn of_nth(&self, nth: u64) -> Option<Abort> {
        let point = share_of(mixed(self.key.wrapping_add(nth)));
        (point < self.abort.share).then_some(self.abort)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scenario::{Conduct, Farewell};
    use crate::traffic::testing::request;

    fn aborts(share: f64, seed: u64) -> Aborts {
        let abort = Some(Abort { after: Duration::from_millis(50), share, with: Farewell::Reset });
        let mut request = request("get", 1.0, "GET", "/", None);
        request.conduct = Some(Conduct { abort, ..Conduct::default() });
        Aborts::of(&request, Seed(seed)).expect("some are left")
    }

    fn chosen(aborts: &Aborts) -> Vec<u64> {
        (0..10_000).filter(|nth| aborts.of_nth(*nth).is_some()).collect()
    }

    #[test]
    fn the_share_is_met_and_the_seed_chooses() {
        let tenth = chosen(&aborts(0.1, 1));
        // 1,000 expected, standard deviation 30.
        assert!((880..1_120).contains(&tenth.len()), "{}", tenth.len());
        assert_eq!(tenth, chosen(&aborts(0.1, 1)));
        assert_ne!(tenth, chosen(&aborts(0.1, 2)));
        assert_eq!((chosen(&aborts(0.0, 1)).len(), chosen(&aborts(1.0, 1)).len()), (0, 10_000));
    }
}
