//! A program that depends on the crate and forgot to install the counter.

#[test]
fn without_the_counter_nothing_is_known() {
    let snapshot = steep_probe::snapshot();
    assert_eq!(snapshot.counts, None);
    assert!(snapshot.to_json().contains(r#""live_bytes":null"#));
}
