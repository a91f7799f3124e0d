//! Mutates inputs: picks one of the pool and damages it up to seven times.

use std::rc::Rc;

use proptest::array::uniform4;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::json_mutation::mutate_json;

/// The longest input, in bytes. A cost that grows with the input shows at this size; the largest events are tested
/// elsewhere.
const LONGEST: usize = 16 * 1024;

/// One of `pool`, mutated. Shrinks to fewer and simpler mutations.
pub(crate) fn inputs(pool: &Rc<Vec<Vec<u8>>>, words: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let pool = Rc::clone(pool);
    (any::<u32>(), vec(uniform4(any::<u32>()), 1..8)).prop_map(move |(first, damages)| {
        let mut input = pick(&pool, first).clone();
        for damage in damages {
            apply(damage, &mut input, &pool, words);
            input.truncate(LONGEST);
        }
        input
    })
}

/// The element at `number`, modulo the length.
pub(crate) fn pick<T>(of: &[T], number: u32) -> &T {
    &of[number as usize % of.len()]
}

/// A range within `length` elements, of at most `longest`, from arbitrary numbers.
fn span(length: usize, at: u32, longest: u32, count: u32) -> std::ops::Range<usize> {
    let from = at as usize % (length + 1);
    from..(from + 1 + (count % longest) as usize).min(length)
}

fn apply([kind, at, a, b]: [u32; 4], input: &mut Vec<u8>, pool: &[Vec<u8>], words: &[&str]) {
    let position = at as usize % (input.len() + 1);
    let [byte, ..] = a.to_le_bytes();
    match kind % 10 {
        0 => drop(input.drain(span(input.len(), at, 16, a))),
        1 => input.truncate(position),
        2 | 3 => drop(input.splice(position..position, pick(words, a).bytes())),
        4 => input.insert(position, byte),
        5 => {
            if let Some(old) = input.get_mut(position) {
                *old = if b % 2 == 0 { byte } else { *old ^ (1 << (byte % 8)) };
            }
        }
        // Mostly a few repetitions, one time in 16 up to 4,095.
        6 => {
            let times = if b % 16 == 0 { b >> 20 } else { b >> 28 };
            let part = input[span(input.len(), at, 32, a)].repeat(times as usize);
            let room = LONGEST.saturating_sub(input.len());
            input.splice(position..position, part.into_iter().take(room));
        }
        7 => {
            let other = pick(pool, a);
            let part = other[span(other.len(), b, 64, b >> 16)].to_vec();
            input.splice(position..position, part);
        }
        8 => {
            let part: Vec<_> = input.drain(span(input.len(), at, 64, a)).collect();
            let position = b as usize % (input.len() + 1);
            input.splice(position..position, part);
        }
        _ => {
            if let Some(mutated) = mutate_json(input, at, a, pick::<Vec<u8>>(pool, b)) {
                *input = mutated;
            }
        }
    }
}
