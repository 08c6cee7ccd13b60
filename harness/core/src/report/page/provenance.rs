//! Where what ran comes from.

use maud::{Markup, html};

use super::tabular::{Head, table, text};
use crate::trace::{Header, Provenance};

pub(super) fn provenance(header: &Header) -> Markup {
    let rows: Vec<Vec<Markup>> = rows(header)
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| vec![text(name), html! { code { (value) } }])
        .collect();
    html! {
        details.part {
            summary { h4 { "Provenance" } }
            (table("Where it comes from", &[Head::Words("what"), Head::Words("value")], &rows))
        }
    }
}

fn rows(header: &Header) -> Vec<(&'static str, String)> {
    let Provenance {
        steep,
        git_commit,
        git_dirty,
        lockfile_sha256,
        rustc,
        profile,
        features,
        rustflags,
        command,
        binary_sha256,
        allocator_env,
        kernel,
        cpu,
        cpus,
        memory_bytes,
        transparent_huge_pages,
    } = &header.provenance;
    let dirty = if *git_dirty { ", with changes that were not committed" } else { "" };
    let commit = if git_commit.is_empty() { String::new() } else { format!("{git_commit}{dirty}") };
    let env = allocator_env.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
    vec![
        ("begun", header.begun.clone()),
        ("flags", header.flags.to_string()),
        ("axes", header.axes.iter().map(|(axis, value)| format!("{axis}={value}")).collect::<Vec<_>>().join(" ")),
        ("commit", commit),
        ("command", command.join(" ")),
        ("binary, SHA-256", binary_sha256.clone()),
        ("features", features.join(" ")),
        ("profile", profile.clone()),
        ("rustc", rustc.clone()),
        ("RUSTFLAGS", rustflags.join(" ")),
        ("Cargo.lock, SHA-256", lockfile_sha256.clone()),
        ("environment of the allocator", env),
        ("kernel", kernel.clone()),
        ("CPUs", format!("{cpus} × {cpu}")),
        ("memory of the host", memory_bytes.to_string()),
        ("transparent huge pages", transparent_huge_pages.clone()),
        ("steep", steep.clone()),
        ("seed", header.seed.0.to_string()),
        ("schedule", header.schedule_hash.clone()),
        ("plan", header.plan_hash.clone()),
        ("attempt", header.attempt.to_string()),
        ("sampled every", format!("{} s", header.sampling_every_s)),
    ]
}
