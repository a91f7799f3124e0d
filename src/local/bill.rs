//! What invalidations cost.

/// The price of a path, in thousandths of a dollar. Source: CloudFront pricing, "Invalidation requests".
const MILLIDOLLARS_PER_PATH: usize = 5;

/// Paths that are free each month, per account. Source: as above.
pub const FREE_PATHS_PER_MONTH: usize = 1000;

/// The paths of some invalidations. An item is billed as one path, wildcard or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    /// How many invalidations.
    pub invalidations: usize,
    /// How many paths they have together.
    pub paths: usize,
}

impl Bill {
    /// The bill of invalidations with so many paths each.
    #[must_use]
    pub fn of(paths: impl IntoIterator<Item = usize>) -> Self {
        paths.into_iter().fold(Self::default(), |bill, paths| Self {
            invalidations: bill.invalidations + 1,
            paths: bill.paths + paths,
        })
    }

    /// The price in thousandths of a dollar, once the free paths of the month are used up.
    #[must_use]
    pub fn millidollars(&self) -> usize {
        self.paths * MILLIDOLLARS_PER_PATH
    }

    /// The price in dollars.
    #[must_use]
    pub fn dollars(&self) -> f64 {
        f64::from(u32::try_from(self.millidollars()).unwrap_or(u32::MAX)) / 1000.0
    }

    /// The price as a person reads it, such as `$1.235`.
    #[must_use]
    pub fn price(&self) -> String {
        let millidollars = self.millidollars();
        format!("${}.{:03}", millidollars / 1000, millidollars % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_paths_are_five_dollars() {
        let bill = Bill::of([400, 600]);
        assert_eq!((bill.invalidations, bill.paths, bill.price().as_str()), (2, 1000, "$5.000"));
        assert_eq!(Bill::of([1]).price(), "$0.005");
        assert_eq!(Bill::of([]).price(), "$0.000");
    }
}
