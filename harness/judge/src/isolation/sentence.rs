//! What a run says of its flags, in one sentence.

use std::collections::BTreeSet;

use super::suspects::{probability_text, quoted};
use super::{AxisFinding, CLEARED, Effect, Finding, Guilt, Isolation, NAMED, Suspects, Turn};

/// The sentence, without a full stop; empty if nothing is to be said.
pub(super) fn sentence(isolation: &Isolation) -> String {
    let Isolation { flags, axes, unexplained, .. } = isolation;
    let (program, suspects) = (isolation.program.as_ref(), isolation.suspects.as_ref());
    let flags = flags.iter().map(|flag| (flag.flag.clone(), &flag.finding));
    let (turns, axes): (Vec<&AxisFinding>, Vec<&AxisFinding>) = axes.iter().partition(|axis| axis.turn.is_some());
    let said: Vec<(String, &Finding)> = flags.chain(axes.iter().map(|axis| (axis.name(), &axis.finding))).collect();
    let mut parts: Vec<String> = said.iter().filter_map(|(name, finding)| leaking(name, finding)).collect();
    parts.extend(turns.iter().filter_map(|turn| turned(turn)));
    let of_turns = turns.iter().map(|turn| (turn.name(), &turn.finding));
    parts.extend(together(&said.iter().cloned().chain(of_turns).collect::<Vec<_>>()));
    parts.extend(suspects.map(Suspects::described));
    parts.extend(one_without_the_other(isolation, &said));
    if let Some(program) = program.filter(|program| program.posterior >= NAMED) {
        let growth = program.effect.as_ref().map_or_else(String::new, |effect| format!(" by {}", effect.amount()));
        let posterior = probability_text(program.posterior);
        parts.push(format!("the program itself grows{growth} whatever is on (posterior {posterior})"));
    }
    let cells: Vec<String> = unexplained.iter().take(UNEXPLAINED_NAMED).map(|cell| quoted(cell.as_str())).collect();
    if !cells.is_empty() {
        let more = if unexplained.len() > UNEXPLAINED_NAMED { ", among others," } else { "" };
        let verb = if cells.len() == 1 { "grows" } else { "grow" };
        parts.push(format!("{}{more} {verb} by more than any flags or pairs explain", listed(&cells)));
    }
    let named = |guilt: &Guilt| -> Vec<String> {
        said.iter().filter(|(_, finding)| &finding.guilt == guilt).map(|(name, _)| quoted(name)).collect()
    };
    let list = |names: &[String], before: &str, one: &str, many: &str| {
        let verb = if names.len() == 1 { one } else { many };
        (!names.is_empty()).then(|| format!("{before}{}{verb}", listed(names)))
    };
    parts.extend(list(&named(&Guilt::Crashes), "the service crashes with ", "", ""));
    parts.extend(list(&named(&Guilt::Retains), "the allocator keeps memory with ", "", ""));
    parts.extend(list(&named(&Guilt::Innocent), "", " is innocent", " are innocent"));
    if !turns.is_empty() && turns.iter().all(|turn| turn.finding.guilt == Guilt::Innocent) {
        parts.push("no revision changed growth".to_owned());
    }
    parts.extend(needed(&said));
    let is_suspect = |name: &String| suspects.is_some_and(|suspects| suspects.names.iter().any(|s| &quoted(s) == name));
    let is_needed = |name: &String| said.iter().any(|(of, finding)| quoted(of) == *name && finding.needed_by.is_some());
    let open = named(&Guilt::Undecided).into_iter().filter(|name| !is_suspect(name) && !is_needed(name));
    let open: Vec<String> = open.collect();
    parts.extend(list(&open, "", " is undecided", " are undecided"));
    parts.extend(undecided_turns(&turns, &is_suspect));
    parts.join("; ")
}

/// Cells that nothing explains are named up to this many.
const UNEXPLAINED_NAMED: usize = 3;

/// What a culprit may need to leak, which no cell tells.
fn needed(said: &[(String, &Finding)]) -> Vec<String> {
    let culprits: BTreeSet<&String> = said.iter().filter_map(|(_, finding)| finding.needed_by.as_ref()).collect();
    let open = culprits.into_iter().map(|culprit| {
        let needed = said.iter().filter(|(_, finding)| finding.needed_by.as_ref() == Some(culprit));
        let needed: Vec<String> = needed.map(|(name, _)| quoted(name)).collect();
        format!("whether {} leaks without {} is open", quoted(culprit), listed(&needed))
    });
    open.collect()
}

/// Of an allocator nobody would say that it leaks.
fn leaking(name: &str, finding: &Finding) -> Option<String> {
    if finding.guilt == Guilt::LeaksOff {
        return Some(format!("memory grows where {} is off, by {}", quoted(name), described(finding)));
    }
    if let Guilt::LeaksWithout(cleaners) = &finding.guilt {
        let cleaners: Vec<String> = cleaners.iter().map(quoted).collect();
        return Some(format!(
            "{} leaks only where {} is off, {}",
            quoted(name),
            cleaners.join(" or "),
            described(finding)
        ));
    }
    if finding.guilt != Guilt::Leaks {
        return None;
    }
    let is_axis = name.contains('=');
    let (before, verb) = if is_axis { ("under ", "memory grows by") } else { ("", "leaks") };
    Some(format!("{before}{} {verb} {}", quoted(name), described(finding)))
}

/// Growth that began or ended with a revision.
fn turned(finding: &AxisFinding) -> Option<String> {
    if finding.finding.guilt != Guilt::Leaks {
        return None;
    }
    let (value, described) = (quoted(&finding.value), described(&finding.finding));
    match finding.turn.as_ref()? {
        Turn::Since { not_in } => {
            Some(format!("memory grows since {value}, not in {}, by {described}", quoted(not_in)))
        }
        Turn::Until { not_in } => Some(format!("memory grew until {value}, not in {}, by {described}", quoted(not_in))),
    }
}

/// What is open between two revisions, once for both directions.
fn undecided_turns(turns: &[&AxisFinding], is_suspect: &dyn Fn(&String) -> bool) -> Vec<String> {
    let place = |turn: &AxisFinding| match turn.turn.clone()? {
        Turn::Since { not_in } => Some((not_in, turn.value.clone())),
        Turn::Until { not_in } => Some((turn.value.clone(), not_in)),
    };
    let is_open = |turn: &AxisFinding| turn.finding.guilt == Guilt::Undecided && !is_suspect(&quoted(&turn.name()));
    let is_told = |turn: &AxisFinding| matches!(turn.finding.guilt, Guilt::Leaks | Guilt::LeaksWith(_));
    let told_already: Vec<_> = turns.iter().filter(|turn| is_told(turn)).map(|turn| place(turn)).collect();
    let open = turns.iter().filter(|turn| is_open(turn)).map(|turn| place(turn));
    let mut between: Vec<(String, String)> = open.filter(|place| !told_already.contains(place)).flatten().collect();
    between.dedup();
    let described: Vec<String> =
        between.iter().map(|(one, other)| format!("from {} to {}", quoted(one), quoted(other))).collect();
    if described.is_empty() {
        described
    } else {
        vec![format!("whether growth changed {} is undecided", listed(&described))]
    }
}

/// Each pair once; a flag whose partner the cells do not tell with all that it may be.
fn together(said: &[(String, &Finding)]) -> Vec<String> {
    let mut parts = Vec::new();
    let mut told_already: Vec<Vec<&str>> = Vec::new();
    for (name, finding) in said {
        let Guilt::LeaksWith(others) = &finding.guilt else { continue };
        let others: Vec<&str> = others.iter().collect();
        let mut all = [&others[..], &[name.as_str()]].concat();
        all.sort_unstable();
        if told_already.contains(&all) {
            continue;
        }
        let names: Vec<String> = others.iter().map(|other| quoted(other)).collect();
        parts.push(if let ["since", first, "until", last] = all.join(" ").split(' ').collect::<Vec<_>>()[..] {
            format!("memory grew from {} to {} only, by {}", quoted(first), quoted(last), described(finding))
        } else if let [other] = &names[..] {
            format!("{} and {other} leak only together, {}", quoted(name), described(finding))
        } else {
            format!("{} leaks only together with {}, {}", quoted(name), names.join(" or "), described(finding))
        });
        told_already.push(all);
    }
    parts
}

fn described(finding: &Finding) -> String {
    let growth = finding.effect.as_ref().map_or_else(String::new, Effect::amount);
    let places: Vec<String> = finding.kept_by.iter().filter_map(|kept| kept.places.first().cloned()).collect();
    let kept = if places.is_empty() { String::new() } else { format!(", kept by {}", listed(&places)) };
    format!("{growth}{kept} (posterior {})", probability_text(finding.posterior.unwrap_or_default()))
}

/// Flags that leak while no stack shows it, and stacks that grow while no cause is sure.
fn one_without_the_other(isolation: &Isolation, said: &[(String, &Finding)]) -> Vec<String> {
    let leaks = |finding: &Finding| {
        matches!(finding.guilt, Guilt::Leaks | Guilt::LeaksWith(_) | Guilt::LeaksWithout(_) | Guilt::LeaksOff)
    };
    let is_bare = |finding: &Finding| isolation.are_stacks_seen && leaks(finding) && finding.kept_by.is_empty();
    let bare = said.iter().filter(|(_, finding)| is_bare(finding));
    let bare: Vec<String> = bare.map(|(name, _)| quoted(name)).collect();
    let flags = (!bare.is_empty()).then(|| format!("no single stack shows what {} keeps", listed(&bare)));
    // What surely fills is nobody's leak.
    let open = isolation.stacks.iter().filter(|stack| !stack.is_sure && stack.kept_posterior > CLEARED);
    let open = open.map(|stack| {
        let (place, growth) = (stack.kept.places.first().map_or("an unknown place", String::as_str), stack.kept.with);
        let names: Vec<String> = stack.causes.iter().take(UNEXPLAINED_NAMED).map(|name| quoted(name)).collect();
        let more = if stack.causes.len() > UNEXPLAINED_NAMED { " or others" } else { "" };
        if stack.kept_posterior < NAMED {
            let with = if names.is_empty() { String::new() } else { format!(" with {}", names.join(" or ")) };
            return format!(
                "what {place} grows by{with} ({} per request) may be something that fills: longer cells tell",
                growth.compact()
            );
        }
        let may = if names.is_empty() { String::new() } else { format!(": it may be {}{more}", names.join(" or ")) };
        format!("what {place} keeps ({} per request) has no sure cause{may}", growth.compact())
    });
    flags.into_iter().chain(open).collect()
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[String]) -> String {
    match names {
        [most @ .., last] if !most.is_empty() => format!("{} and {last}", most.join(", ")),
        _ => names.join(""),
    }
}
