//! Medians and percentiles of small samples. No clocks here.

/// The value in the middle of the sorted sample, the upper one of two; 0 for none.
pub(crate) fn median(sample: &[f64]) -> f64 {
    percentile(sample, 50)
}

/// The value below which so many of a hundred lie (nearest rank); 0 for an empty sample.
pub(crate) fn percentile(sample: &[f64], rank: usize) -> f64 {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (sorted.len() * rank / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_sample() {
        let sample = [5.0, 1.0, 4.0, 2.0, 3.0];
        let shown =
            [median(&sample), percentile(&sample, 99), percentile(&[], 99)].map(|figure| figure.to_string());
        assert_eq!(shown, ["3", "5", "0"]);
    }
}
