//! The ways to cover a part of the trie, and putting those of two parts together.

#![expect(clippy::indexing_slicing, reason = "counts are within the limits, and places come from the lists themselves")]

use super::lagrangian::{EffectiveBudget, Score, amount};

/// One way to cover what is below a node.
#[derive(Clone, Copy)]
pub(super) struct Candidate {
    pub(super) items: usize,
    pub(super) wildcards: usize,
    /// The score and the price of the items.
    pub(super) priced: Score,
    /// Where it comes from: a way of the siblings before, and one of this child. Or, of a finished node, a way of all its
    /// children together, or its wildcard.
    pub(super) from: (u32, u32),
}

/// Puts ways together. For each number of items and of wildcards it keeps where the way with as many is, cleared by starting
/// a new round.
pub(super) struct Frontier {
    cells: Vec<(u32, u32)>,
    round: u32,
    budget: EffectiveBudget,
    /// What an item costs on top.
    price: Score,
}

impl Frontier {
    pub(super) fn new(budget: EffectiveBudget, price: Score) -> Self {
        Self { cells: vec![(0, 0); (budget.items + 1) * (budget.wildcards + 1)], round: 0, budget, price }
    }

    /// Puts every way of the siblings before together with every way of the child, as far as the limits allow and as they
    /// cost no more than `most` for their number of wildcards; of several with as many items and wildcards the cheapest
    /// stays, and of equal ones the first. Both lists are sorted by wildcards and cost, and so is the result. Tells
    /// whether `most` kept any out.
    pub(super) fn join(
        &mut self,
        siblings: &mut Vec<Candidate>,
        child: &[Candidate],
        most: impl Fn(usize) -> Score,
    ) -> bool {
        let before = std::mem::take(siblings);
        let mut dropped = false;
        self.round += 1;
        let mut before_from = 0;
        for before in before.chunk_by(|a, b| a.wildcards == b.wildcards) {
            let mut child_from = 0;
            for child in child.chunk_by(|a, b| a.wildcards == b.wildcards) {
                let wildcards = before[0].wildcards + child[0].wildcards;
                if wildcards <= self.budget.wildcards {
                    let most = most(wildcards);
                    for (a, index_a) in before.iter().zip(before_from..) {
                        for (b, index_b) in child.iter().zip(child_from..) {
                            let priced = a.priced + b.priced;
                            if priced > most {
                                dropped = true;
                                break;
                            }
                            let items = a.items + b.items;
                            if items <= self.budget.items {
                                self.put(siblings, Candidate { items, wildcards, priced, from: (index_a, index_b) });
                            }
                        }
                    }
                }
                child_from += u32::try_from(child.len()).unwrap_or(u32::MAX);
            }
            before_from += u32::try_from(before.len()).unwrap_or(u32::MAX);
        }
        if before.len() > 1 && child.len() > 1 {
            self.drop_worse(siblings);
        }
        dropped
    }

    /// Adds a way unless there is one with as many items and wildcards that costs no more, and else in its place.
    fn put(&mut self, candidates: &mut Vec<Candidate>, candidate: Candidate) {
        let (round, index) = &mut self.cells[candidate.items * (self.budget.wildcards + 1) + candidate.wildcards];
        if *round != self.round {
            (*round, *index) = (self.round, u32::try_from(candidates.len()).unwrap_or(u32::MAX));
            candidates.push(candidate);
        } else if candidate.priced < candidates[*index as usize].priced {
            candidates[*index as usize] = candidate;
        }
    }

    /// Keeps the ways for which there is none with at most as many items and wildcards that costs at most as much: in
    /// every set the other can take their place.
    fn drop_worse(&self, candidates: &mut Vec<Candidate>) {
        candidates.sort_unstable_by_key(|candidate| (candidate.items, candidate.wildcards));
        // The least score so far of a way with at most so many wildcards.
        let mut least = vec![Score::MAX; self.budget.wildcards + 1];
        candidates.retain(|candidate| {
            let score = candidate.priced - amount(candidate.items) * self.price;
            let kept = score < least[candidate.wildcards];
            if kept {
                for other in least[candidate.wildcards..].iter_mut().take_while(|other| **other > score) {
                    *other = score;
                }
            }
            kept
        });
        candidates.sort_unstable_by_key(|candidate| (candidate.wildcards, candidate.priced, candidate.items));
    }
}
