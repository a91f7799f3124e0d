//! The cost of invalidations.

/// The price of one path, in thousandths of a dollar. Source: CloudFront pricing, "Invalidation requests".
const MILLIDOLLARS_PER_PATH: usize = 5;

/// Free paths per month and account. Source: as above.
pub const FREE_PATHS_PER_MONTH: usize = 1000;

/// The paths of a set of invalidations. A wildcard is billed as one path, like any other item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    /// The number of invalidations.
    pub invalidations: usize,
    /// The number of paths in all of them.
    pub paths: usize,
}

impl Bill {
    /// Returns the bill for invalidations with these numbers of paths.
    #[must_use]
    pub fn of(paths: impl IntoIterator<Item = usize>) -> Self {
        paths.into_iter().fold(Self::default(), |bill, paths| Self {
            invalidations: bill.invalidations + 1,
            paths: bill.paths + paths,
        })
    }

    /// The price in thousandths of a dollar, without the month's free paths.
    #[must_use]
    pub fn millidollars(&self) -> usize {
        self.paths * MILLIDOLLARS_PER_PATH
    }

    /// The price in dollars, without the month's free paths.
    #[must_use]
    pub fn dollars(&self) -> f64 {
        f64::from(u32::try_from(self.millidollars()).unwrap_or(u32::MAX)) / 1000.0
    }

    /// The price as text, such as `$1.235`.
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
