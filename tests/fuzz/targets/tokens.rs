//! The continuation token of a CodePipeline job. CodePipeline returns it, so it is input from outside, and it names the
//! invalidations whose status is requested.

use proptest::{prop_assert, prop_assert_eq};
use s3_cloudfront_invalidator::change::text::{one_line, shortened};
use s3_cloudfront_invalidator::change::{DistributionId, InvalidationId};
use s3_cloudfront_invalidator::event::{
    ContinuationToken, ContinuationTokenError, InvalidationRef, MAX_SUMMARY_LENGTH,
};

use crate::driver::Checked;
use crate::rules::{check_one_line, is_distribution, is_id, magnitude};

pub(crate) fn token(input: &[u8]) -> Checked {
    let text = String::from_utf8_lossy(input);
    check_one_line(&ContinuationTokenError.to_string(), 200)?;
    let behaviour = match ContinuationToken::parse(&text) {
        Ok(token) => {
            prop_assert!(!token.invalidations.is_empty());
            for InvalidationRef { distribution, invalidation } in &token.invalidations {
                prop_assert!(is_distribution(distribution.as_str()) && is_id(invalidation.as_str()));
            }
            prop_assert!(token.summary().chars().count() <= MAX_SUMMARY_LENGTH);
            prop_assert_eq!(ContinuationToken::parse(&token.write()), Ok(token.clone()));
            format!("{} {}", magnitude(token.invalidations.len()), magnitude(token.paths.len()))
        }
        Err(ContinuationTokenError) => format!("none {}", serde_json::from_str::<serde_json::Value>(&text).is_ok()),
    };
    // Any token that can be written, with IDs and numbers derived from the input.
    let number = input.iter().fold(0_u64, |number, byte| number.wrapping_mul(257).wrapping_add(u64::from(*byte)));
    let waiting = |n: u64| InvalidationRef {
        distribution: DistributionId::new(&format!("E{:X}", number.wrapping_mul(n + 1))).unwrap(),
        invalidation: InvalidationId::new(&format!("{:X}", number.rotate_left(7) ^ n)).unwrap(),
    };
    let written = ContinuationToken {
        invalidations: (0..=number % 20).map(waiting).collect(),
        started: number,
        wait: number % 3601,
        paths: shortened(&one_line(&text), MAX_SUMMARY_LENGTH),
    };
    prop_assert_eq!(ContinuationToken::parse(&written.write()), Ok(written.clone()));
    Ok(behaviour)
}
