//! What `steep init` writes: sound for any package, and honest about what it guesses.

use steep_core::plan::plan;
use steep_core::problem::Spans;
use steep_core::scenario::decode::decode;
use steep_core::scenario::package::{Features, PackageFacts, WorkspaceFacts, check_package};
use steep_core::scenario::starter::{PortGuess, starter};

fn facts(features: &[(&str, &[&str])], binaries: &[&str]) -> PackageFacts {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let features = features.iter().map(|(name, others)| ((*name).to_owned(), owned(others)));
    PackageFacts { features: Features::new(features.collect()), binaries: owned(binaries), ..PackageFacts::default() }
}

/// What is written for `facts` has no problem, neither by itself nor against the package.
fn assert_sound(text: &str, facts: &PackageFacts) {
    let decoded = decode(text);
    assert_eq!(decoded.problems, [], "{text}");
    let scenario = decoded.scenario.unwrap_or_else(|| panic!("{text}"));
    let workspace = WorkspaceFacts { packages: [("shop".to_owned(), facts.clone())].into() };
    assert_eq!(check_package(&scenario, &Spans::default(), &workspace), [], "{text}");
    let planned = plan(&scenario, &facts.features, &Spans::default());
    assert!(planned.is_ok(), "{planned:?}");
}

#[test]
fn what_is_written_is_sound_and_says_what_is_guessed() {
    let facts = facts(
        &[
            ("default", &["cache", "jemalloc", "moka"]),
            ("cache", &["storage"]),
            ("storage", &[]),
            ("jemalloc", &["dep:tikv-jemallocator"]),
            ("mimalloc", &["dep:mimalloc"]),
            ("moka", &["dep:moka"]),
            ("c++", &[]),
            ("c--", &[]),
            ("ä", &[]),
            ("ö", &[]),
            ("not-safe", &[]),
            ("baseline", &[]),
        ],
        &["shop", "shop-admin"],
    );
    let text = starter("shop", &facts, &PortGuess::Variable, Some("/healthz"));
    assert_sound(&text, &facts);
    insta::assert_snapshot!(text);
}

#[test]
fn every_guess_at_a_port_is_sound() {
    let facts = facts(&[], &["shop"]);
    for guess in [PortGuess::Variable, PortGuess::Argument, PortGuess::Fixed(8080), PortGuess::Unknown] {
        assert_sound(&starter("shop", &facts, &guess, None), &facts);
    }
}

#[test]
fn what_the_binary_requires_is_not_a_flag() {
    let required = [("shop".to_owned(), vec!["server".to_owned()])].into();
    let facts =
        PackageFacts { required, ..facts(&[("server", &["metrics"]), ("metrics", &[]), ("cache", &[])], &["shop"]) };
    let text = starter("shop", &facts, &PortGuess::Unknown, None);
    assert_sound(&text, &facts);
    assert!(text.contains("\nfeatures = [\"metrics\", \"server\"]\n") && !text.contains("name = \"server\""), "{text}");
}
