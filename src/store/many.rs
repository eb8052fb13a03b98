//! Many rows in one statement: a parameter a column, each an array that UNNEST turns into rows.

/// One column of many rows.
pub(super) fn column<'a, R, T>(rows: &[&'a R], pick: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(|row| pick(row)).collect()
}
