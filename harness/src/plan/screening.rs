//! Balanced designs under constraints, and what they cannot tell apart.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::hadamard;
use super::model::Model;
use crate::flags::FlagSet;

/// Which design.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Design {
    /// Plackett and Burman's.
    Plain,
    /// With the opposite of each row.
    Folded,
    /// The opposite of each row of the plain one.
    Opposite,
    /// Half of all combinations.
    Half,
}

/// A row that a constraint changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The flags that the design has on.
    pub wanted: FlagSet,
    /// Those that are on instead.
    pub soaked: FlagSet,
    /// The constraint, in words.
    pub reason: String,
}

/// Effects that a design cannot tell from each other.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Aliasing {
    /// Single flags and pairs (`a×b`: what two add together beyond what each adds) that look alike in all cells; one list for
    /// each set of such.
    pub alike: Vec<Vec<String>>,
    /// The largest share of a pair's effect, below all of it, that shows up as that of a single flag.
    pub largest_share: f64,
}

/// The rows of a design.
#[derive(Debug)]
pub(super) struct Screened {
    pub(super) rows: Vec<Vec<bool>>,
    pub(super) changed: Vec<Changed>,
    pub(super) aliasing: Aliasing,
}

/// `design` over the `free` factors of `model`, each row changed as little as its constraints demand.
///
/// # Errors
/// Why the constraints leave no such design, in words.
pub(super) fn screened(model: &Model, free: &[(usize, Vec<usize>)], design: Design) -> Result<Screened, String> {
    if let Some((factor, _)) = free.iter().find(|(_, levels)| levels.len() > 2) {
        return Err(format!("\"{}\" has more than two values", model.factors[*factor].name));
    }
    let off = vec![false; model.production().len()];
    // What is not free has one level that is possible.
    let fixed = model.excluding.complete(&model.excluding.nothing_known(), &off, 0).unwrap_or(off);
    let rows = match design {
        _ if free.is_empty() => vec![Vec::new()],
        Design::Plain => hadamard::screening(free.len()),
        Design::Folded => hadamard::folded(free.len()),
        Design::Opposite => hadamard::opposite(&hadamard::screening(free.len())),
        Design::Half => hadamard::half(free.len()),
    };
    let mut screened = Screened { rows: Vec::new(), changed: Vec::new(), aliasing: Aliasing::default() };
    for (number, row) in rows.iter().enumerate() {
        let mut wanted = fixed.clone();
        for ((factor, levels), is_second) in free.iter().zip(row) {
            let factor = &model.factors[*factor];
            let level = &factor.levels[levels[usize::from(*is_second)]];
            factor.members.iter().for_each(|member| wanted[*member] = level.contains(member));
        }
        // Each row begins elsewhere, so that it is not always the same flag that gives way.
        let Some(soaked) = model.excluding.complete(&model.excluding.nothing_known(), &wanted, number) else {
            continue;
        };
        if let Some(reason) = model.excluding.broken_by(&wanted) {
            let (wanted, soaked) = (model.flags(&wanted), model.flags(&soaked));
            screened.changed.push(Changed { wanted, soaked, reason: reason.to_owned() });
        }
        if !screened.rows.contains(&soaked) {
            screened.rows.push(soaked);
        }
    }
    let columns = columns(model, free, &screened.rows);
    if let Some((one, other)) = inseparable(&columns) {
        let what = other.map_or_else(
            || format!("\"{one}\" would not vary"),
            |other| format!("\"{one}\" and \"{other}\" would only vary together"),
        );
        return Err(format!("{what} in what the constraints leave of a balanced design"));
    }
    screened.aliasing = aliasing(&columns);
    Ok(screened)
}

/// Of each free factor its name, and its level in each row as −1 or 1.
fn columns(model: &Model, free: &[(usize, Vec<usize>)], rows: &[Vec<bool>]) -> Vec<(String, Vec<i32>)> {
    let column = |(number, levels): &(usize, Vec<usize>)| {
        let factor = &model.factors[*number];
        let sign = |row: &Vec<bool>| if factor.level_in(row) == levels[1] { 1 } else { -1 };
        (factor.name.clone(), rows.iter().map(sign).collect())
    };
    free.iter().map(column).collect()
}

/// A factor that does not vary, or two of which each tells the other.
fn inseparable(columns: &[(String, Vec<i32>)]) -> Option<(&str, Option<&str>)> {
    let constant = columns.iter().find(|(_, column)| column.iter().all(|sign| *sign == column[0]));
    if let Some((name, _)) = constant {
        return Some((name, None));
    }
    let mut seen: BTreeMap<Vec<i32>, &str> = BTreeMap::new();
    columns
        .iter()
        .find_map(|(name, column)| seen.insert(unsigned(column), name).map(|other| (other, Some(name.as_str()))))
}

/// The same for a column and its opposite.
fn unsigned(column: &[i32]) -> Vec<i32> {
    let first = column.first().copied().unwrap_or(1);
    column.iter().map(|sign| sign * first).collect()
}

fn aliasing(columns: &[(String, Vec<i32>)]) -> Aliasing {
    let mut effects: Vec<(String, Vec<i32>)> = columns.to_vec();
    for (place, (one, signs)) in columns.iter().enumerate() {
        for (other, others) in &columns[place + 1..] {
            let product = signs.iter().zip(others).map(|(a, b)| a * b).collect();
            effects.push((format!("{one}×{other}"), product));
        }
    }
    let mut alike: BTreeMap<Vec<i32>, Vec<String>> = BTreeMap::new();
    for (name, column) in &effects {
        alike.entry(unsigned(column)).or_default().push(name.clone());
    }
    let (single, pairs) = effects.split_at(columns.len());
    let mut largest_share: f64 = 0.0;
    for (_, column) in single {
        for (_, pair) in pairs {
            let product: i32 = column.iter().zip(pair).map(|(a, b)| a * b).sum();
            let share = f64::from(product.abs()) / column.len() as f64;
            largest_share = if share < 1.0 { largest_share.max(share) } else { largest_share };
        }
    }
    let mut alike: Vec<Vec<String>> = alike.into_values().filter(|names| names.len() > 1).collect();
    alike.sort();
    Aliasing { alike, largest_share }
}
