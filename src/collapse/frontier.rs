//! Pareto frontiers: the candidates to cover a part of the trie, and how the candidates of two parts are joined.

#![expect(
    clippy::indexing_slicing,
    reason = "counts are within the budget, and indices come from the lists themselves"
)]

use super::objective::{EffectiveBudget, Score, to_score};

/// One candidate to cover a part of the trie.
#[derive(Clone, Copy)]
pub(super) struct Candidate {
    pub(super) items: usize,
    pub(super) wildcards: usize,
    /// The score plus the price of the items.
    pub(super) score_with_price: Score,
    /// The indices of what it was joined from: a candidate of the siblings before, and one of the child. For a finished
    /// node the first is a candidate of all its children together, or stands for the node's wildcard.
    pub(super) from: (u32, u32),
}

/// Joins candidates. By number of items and of wildcards, it stores the round and the index of the candidate with those
/// numbers. A new round clears all cells at no cost.
pub(super) struct Frontier {
    cells: Vec<(u32, u32)>,
    round: u32,
    budget: EffectiveBudget,
    /// The price of an item.
    price: Score,
}

impl Frontier {
    pub(super) fn new(budget: EffectiveBudget, price: Score) -> Self {
        Self { cells: vec![(0, 0); (budget.items + 1) * (budget.wildcards + 1)], round: 0, budget, price }
    }

    /// Joins every candidate of the siblings before with every candidate of the child, within the budget. Of candidates
    /// with the same numbers of items and wildcards only the cheapest is kept, and the first at equal cost. Candidates
    /// that cost more than `most` for their number of wildcards are pruned; returns whether there were any. Both lists
    /// must be sorted by wildcards and cost, and so is the result.
    pub(super) fn join(
        &mut self,
        siblings: &mut Vec<Candidate>,
        child: &[Candidate],
        most: impl Fn(usize) -> Score,
    ) -> bool {
        let before = std::mem::take(siblings);
        let mut pruned = false;
        self.round += 1;
        let mut before_from = 0;
        for before_group in before.chunk_by(|a, b| a.wildcards == b.wildcards) {
            let mut child_from = 0;
            for child_group in child.chunk_by(|a, b| a.wildcards == b.wildcards) {
                let wildcards = before_group[0].wildcards + child_group[0].wildcards;
                if wildcards <= self.budget.wildcards {
                    let limit = most(wildcards);
                    for (a, index_a) in before_group.iter().zip(before_from..) {
                        for (b, index_b) in child_group.iter().zip(child_from..) {
                            let score_with_price = a.score_with_price + b.score_with_price;
                            if score_with_price > limit {
                                pruned = true;
                                break;
                            }
                            let items = a.items + b.items;
                            if items <= self.budget.items {
                                self.put(
                                    siblings,
                                    Candidate { items, wildcards, score_with_price, from: (index_a, index_b) },
                                );
                            }
                        }
                    }
                }
                child_from += u32::try_from(child_group.len()).unwrap_or(u32::MAX);
            }
            before_from += u32::try_from(before_group.len()).unwrap_or(u32::MAX);
        }
        if before.len() > 1 && child.len() > 1 {
            self.remove_dominated(siblings);
        }
        pruned
    }

    /// Adds a candidate, or replaces the one with as many items and wildcards if that costs more.
    fn put(&mut self, candidates: &mut Vec<Candidate>, candidate: Candidate) {
        let (round, index) = &mut self.cells[candidate.items * (self.budget.wildcards + 1) + candidate.wildcards];
        if *round != self.round {
            (*round, *index) = (self.round, u32::try_from(candidates.len()).unwrap_or(u32::MAX));
            candidates.push(candidate);
        } else if candidate.score_with_price < candidates[*index as usize].score_with_price {
            candidates[*index as usize] = candidate;
        }
    }

    /// Removes dominated candidates: those for which another has no more items, no more wildcards and no greater score.
    /// In any set the other can replace it.
    fn remove_dominated(&self, candidates: &mut Vec<Candidate>) {
        candidates.sort_unstable_by_key(|candidate| (candidate.items, candidate.wildcards));
        // The least score so far of a candidate with at most this many wildcards.
        let mut least = vec![Score::MAX; self.budget.wildcards + 1];
        candidates.retain(|candidate| {
            let score = candidate.score_with_price - to_score(candidate.items) * self.price;
            let kept = score < least[candidate.wildcards];
            if kept {
                for other in least[candidate.wildcards..].iter_mut().take_while(|other| **other > score) {
                    *other = score;
                }
            }
            kept
        });
        candidates.sort_unstable_by_key(|candidate| (candidate.wildcards, candidate.score_with_price, candidate.items));
    }
}
