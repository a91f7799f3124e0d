//! The price of invalidation paths. A wildcard is billed as one path, like any other item.
//!
//! Source: CloudFront pricing, "Invalidation requests".

/// The number of paths per dollar, beyond the free ones.
pub const PATHS_PER_DOLLAR: f64 = 200.0;

/// The number of free paths per month and account.
pub const FREE_PATHS_PER_MONTH: usize = 1000;

/// Returns the price of `paths` paths in US dollars, beyond the free ones.
#[must_use]
pub fn price_usd(paths: usize) -> f64 {
    f64::from(u32::try_from(paths).unwrap_or(u32::MAX)) / PATHS_PER_DOLLAR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_paths_are_five_dollars() {
        for (paths, price) in [(0, "0"), (1, "0.005"), (7, "0.035"), (247, "1.235"), (1000, "5")] {
            assert_eq!(price_usd(paths).to_string(), price);
        }
    }
}
