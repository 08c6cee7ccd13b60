//! Balanced two-level designs from Hadamard matrices: the columns of one are orthogonal, so that every row informs
//! about every column (Plackett and Burman, "The Design of Optimum Multifactorial Experiments", Biometrika 33, 1946).

/// Rows of levels, `true` for the second.
pub(super) type Rows = Vec<Vec<bool>>;

/// The fewest rows that a design for `columns` columns takes: all off in the first, and each column on in half of the
/// rows.
pub(super) fn screening(columns: usize) -> Rows {
    let matrix = matrix(columns + 1);
    matrix.iter().map(|row| row[1..=columns].iter().map(|on| !on).collect()).collect()
}

/// The same for single columns that no product of two columns is mixed with: a design and its opposite. The column that
/// is constant in either half tells the halves apart, and serves too.
pub(super) fn folded(columns: usize) -> Rows {
    let matrix = matrix(columns);
    let half: Rows = matrix.iter().map(|row| row[..columns].iter().map(|on| !on).collect()).collect();
    let opposite = opposite(&half);
    half.into_iter().chain(opposite).collect()
}

/// Each row with the other level in every column.
pub(super) fn opposite(rows: &Rows) -> Rows {
    rows.iter().map(|row| row.iter().map(|on| !on).collect()).collect()
}

/// Half of all combinations: the last column is the product of the others. For four columns no single one is mixed with
/// a product of two, for five no product of two with another either (Box, Hunter and Hunter, "Statistics for
/// Experimenters", ch. 6).
pub(super) fn half(columns: usize) -> Rows {
    let free = columns - 1;
    let row = |bits: usize| {
        let mut row: Vec<bool> = (0..free).map(|column| bits >> column & 1 == 1).collect();
        row.push(row.iter().filter(|on| **on).count() % 2 == 1);
        row
    };
    (0..1 << free).map(row).collect()
}

/// A Hadamard matrix of `least` rows or the next more that there is one for; its first row and column are all `true`.
fn matrix(least: usize) -> Rows {
    let mut order = least.max(2).next_multiple_of(2);
    loop {
        if let Some(matrix) = of_order(order) {
            return matrix;
        }
        order += 2;
    }
}

/// By Paley where the order is a prime plus one that is a multiple of 4, else by doubling (Sylvester). Of the orders to
/// 64 that leaves out 28, 36, 52 and 56; the next one is taken.
fn of_order(order: usize) -> Option<Rows> {
    match order {
        1 => Some(vec![vec![true]]),
        2 => Some(doubled(&[vec![true]])),
        _ if !order.is_multiple_of(4) => None,
        _ if is_prime(order - 1) => Some(paley(order - 1)),
        _ => of_order(order / 2).map(|half| doubled(&half)),
    }
}

fn doubled(half: &[Vec<bool>]) -> Rows {
    let twice = |row: &Vec<bool>| row.iter().chain(row).copied().collect();
    let opposed = |row: &Vec<bool>| row.iter().copied().chain(row.iter().map(|on| !on)).collect();
    half.iter().map(twice).chain(half.iter().map(opposed)).collect()
}

/// From the squares modulo `prime`, which leaves 3 when divided by 4. Each row is the one before, shifted.
fn paley(prime: usize) -> Rows {
    let squares: Vec<bool> = (0..prime).map(|number| (1..prime).any(|root| root * root % prime == number)).collect();
    // With this sign each row but the first has one more `false` than `true` after its first column: as many of each in
    // all.
    let row = |shift: usize| {
        let rest = (0..prime).map(|column| column != shift && squares[(column + prime - shift) % prime]);
        std::iter::once(true).chain(rest).collect()
    };
    std::iter::once(vec![true; prime + 1]).chain((0..prime).map(row)).collect()
}

fn is_prime(number: usize) -> bool {
    number > 1 && (2..=number.isqrt()).all(|factor| !number.is_multiple_of(factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(row: &[bool], other: &[bool]) -> i64 {
        row.iter().zip(other).map(|(a, b)| if a == b { 1 } else { -1 }).sum()
    }

    fn column(rows: &Rows, number: usize) -> Vec<bool> {
        rows.iter().map(|row| row[number]).collect()
    }

    #[test]
    fn rows_of_a_matrix_are_orthogonal() {
        for least in 1..=64 {
            let matrix = matrix(least);
            assert!(matrix.len() >= least && matrix.len() < least + 12, "{least}: {}", matrix.len());
            for (number, row) in matrix.iter().enumerate() {
                assert!(matrix[..number].iter().all(|other| product(row, other) == 0), "order {}", matrix.len());
            }
            assert!(matrix[0].iter().all(|on| *on) && matrix.iter().all(|row| row[0]));
        }
    }

    #[test]
    fn orders_are_those_of_plackett_and_burman_where_there_is_a_construction() {
        let rows: Vec<usize> = [3, 7, 11, 15, 19, 23, 27, 31].iter().map(|columns| screening(*columns).len()).collect();
        assert_eq!(rows, [4, 8, 12, 16, 20, 24, 32, 32]);
    }

    #[test]
    fn the_first_row_of_a_screening_is_all_off_and_its_columns_are_balanced_and_orthogonal() {
        for columns in 2..=40 {
            let rows = screening(columns);
            assert!(rows[0].iter().all(|on| !on));
            for one in 0..columns {
                assert_eq!(column(&rows, one).iter().filter(|on| **on).count() * 2, rows.len());
                assert!((0..one).all(|other| product(&column(&rows, one), &column(&rows, other)) == 0));
            }
        }
    }

    #[test]
    fn no_pair_is_mixed_with_a_single_column_of_a_folded_design_or_of_a_half() {
        for (columns, rows) in (2..=16).map(|columns| (columns, folded(columns))).chain([(4, half(4)), (5, half(5))]) {
            for single in 0..columns {
                for (one, other) in (0..columns).flat_map(|one| (0..one).map(move |other| (one, other))) {
                    let pair: Vec<bool> = rows.iter().map(|row| row[one] == row[other]).collect();
                    assert_eq!(product(&column(&rows, single), &pair), 0, "{columns}: {single} and {one} with {other}");
                }
            }
        }
    }

    #[test]
    fn a_half_of_five_tells_pairs_apart() {
        let rows = half(5);
        let pairs: Vec<Vec<bool>> = (0..5)
            .flat_map(|one| (0..one).map(move |other| (one, other)))
            .map(|(one, other)| rows.iter().map(|row| row[one] == row[other]).collect())
            .collect();
        for (number, pair) in pairs.iter().enumerate() {
            assert!(pairs[..number].iter().all(|other| product(pair, other) == 0));
        }
    }
}
