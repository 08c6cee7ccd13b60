//! Balanced designs under constraints, and what they cannot tell apart.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::effort::{Effort, TooHard};
use super::hadamard;
use super::infeasible::NoRows;
use super::model::Model;
use steep_judge::ids::FlagSet;

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
    /// Single flags and pairs (`a×b`: what two add together beyond what each adds) that look alike in all cells; one
    /// list for each set of such.
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
/// Why the constraints leave no such design, in words; or that it takes too many steps.
pub(super) fn screened(model: &Model, free: &[(usize, Vec<usize>)], design: Design) -> Result<Screened, NoRows> {
    if let Some((factor, _)) = free.iter().find(|(_, levels)| levels.len() > 2) {
        return Err(NoRows::Strategy(format!("\"{}\" has more than two values", model.factors[*factor].name)));
    }
    // A design has about as many rows as columns, and a matrix of them is looked for among the first that are large
    // enough.
    model.excluding.effort().spend(free.len() * free.len() * STEPS_OF_AN_ENTRY)?;
    let off = vec![false; model.members()];
    // What is not free has one level that is possible.
    let fixed = model.excluding.complete(&model.excluding.nothing_known(), &off, 0)?.unwrap_or(off);
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
        let Some(soaked) = model.excluding.complete(&model.excluding.nothing_known(), &wanted, number)? else {
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
        return Err(NoRows::Strategy(format!("{what} in what the constraints leave of a balanced design")));
    }
    screened.aliasing = aliasing(&columns, model.excluding.effort())?;
    Ok(screened)
}

/// Steps that an entry of a design is counted as: rows are compared with each other.
const STEPS_OF_AN_ENTRY: usize = 8;

/// A column of a design, a bit for each row. The first is 0: a column and its opposite are the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Column(Vec<u64>);

impl Column {
    fn of(levels: impl ExactSizeIterator<Item = bool>) -> Self {
        let mut bits = vec![0; levels.len().div_ceil(64)];
        let mut first = None;
        for (row, level) in levels.enumerate() {
            if level != *first.get_or_insert(level) {
                bits[row / 64] |= 1 << (row % 64);
            }
        }
        Self(bits)
    }

    /// In which rows the two are the same, or the opposite of that.
    fn times(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| one ^ other).collect())
    }

    fn is_constant(&self) -> bool {
        self.0.iter().all(|bits| *bits == 0)
    }

    /// How much of the one shows up as the other, over this many `rows`: from 0 to 1.
    fn share(&self, other: &Self, rows: usize) -> f64 {
        let differing: u32 = self.0.iter().zip(&other.0).map(|(one, other)| (one ^ other).count_ones()).sum();
        (rows as f64 - 2.0 * f64::from(differing)).abs() / rows as f64
    }
}

/// Of each free factor its name, and whether it is at its second level in each row.
fn columns(model: &Model, free: &[(usize, Vec<usize>)], rows: &[Vec<bool>]) -> Columns {
    let column = |(number, levels): &(usize, Vec<usize>)| {
        let factor = &model.factors[*number];
        (factor.name.clone(), Column::of(rows.iter().map(|row| factor.level_in(row) == levels[1])))
    };
    Columns { rows: rows.len(), of: free.iter().map(column).collect() }
}

/// The columns of a design, each with the name of its factor.
struct Columns {
    rows: usize,
    of: Vec<(String, Column)>,
}

/// A factor that does not vary, or two of which each tells the other.
fn inseparable(columns: &Columns) -> Option<(&str, Option<&str>)> {
    let constant = columns.of.iter().find(|(_, column)| column.is_constant());
    if let Some((name, _)) = constant {
        return Some((name, None));
    }
    let mut seen: BTreeMap<&Column, &str> = BTreeMap::new();
    columns.of.iter().find_map(|(name, column)| seen.insert(column, name).map(|other| (other, Some(name.as_str()))))
}

fn aliasing(columns: &Columns, effort: &Effort) -> Result<Aliasing, TooHard> {
    let (count, words) = (columns.of.len(), columns.rows.div_ceil(64));
    let pairs = count * count.saturating_sub(1) / 2;
    effort.spend(pairs.saturating_mul(count + STEPS_OF_AN_ENTRY).saturating_mul(words))?;
    let mut effects: Vec<(String, Column)> = columns.of.clone();
    for (place, (one, signs)) in columns.of.iter().enumerate() {
        let others = columns.of[place + 1..].iter();
        effects.extend(others.map(|(other, others)| (format!("{one}×{other}"), signs.times(others))));
    }
    let mut alike: BTreeMap<&Column, Vec<String>> = BTreeMap::new();
    for (name, column) in &effects {
        alike.entry(column).or_default().push(name.clone());
    }
    let (single, pairs) = effects.split_at(count);
    let mut largest_share: f64 = 0.0;
    for (_, column) in single {
        for (_, pair) in pairs {
            let share = column.share(pair, columns.rows);
            largest_share = if share < 1.0 { largest_share.max(share) } else { largest_share };
        }
    }
    let mut alike: Vec<Vec<String>> = alike.into_values().filter(|names| names.len() > 1).collect();
    alike.sort();
    Ok(Aliasing { alike, largest_share })
}
