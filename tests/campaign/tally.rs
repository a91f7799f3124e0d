//! What is counted.

use std::collections::BTreeMap;
use std::time::Duration;

/// How often each kind of fault was played.
pub(crate) type Kinds = BTreeMap<&'static str, usize>;

/// What all invalidations of a run came to.
#[derive(Clone, Copy, Default)]
pub(crate) struct Spent {
    pub(crate) invalidations: usize,
    pub(crate) paths: usize,
    /// Cached URLs that were evicted though nothing had changed behind them.
    pub(crate) needless: usize,
}

#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) scenarios: usize,
    pub(crate) invocations: usize,
    pub(crate) processes: usize,
    pub(crate) changes: usize,
    pub(crate) covered: usize,
    pub(crate) ignored: usize,
    /// Changes that ended in a dead-letter queue, with their reason.
    pub(crate) dead: usize,
    /// Deliveries that the function answered after its time.
    pub(crate) late: usize,
    pub(crate) faults: Kinds,
    pub(crate) with_faults: Spent,
    pub(crate) without_faults: Spent,
}

impl Spent {
    pub(crate) fn add(&mut self, other: Self) {
        self.invalidations += other.invalidations;
        self.paths += other.paths;
        self.needless += other.needless;
    }
}

impl Tally {
    pub(crate) fn count(&mut self, kinds: &Kinds) {
        for (kind, times) in kinds {
            *self.faults.entry(kind).or_default() += times;
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.scenarios += other.scenarios;
        self.invocations += other.invocations;
        self.processes += other.processes;
        self.changes += other.changes;
        self.covered += other.covered;
        self.ignored += other.ignored;
        self.dead += other.dead;
        self.late += other.late;
        self.count(&other.faults);
        self.with_faults.add(other.with_faults);
        self.without_faults.add(other.without_faults);
    }

    pub(crate) fn print(&self, time: Duration) {
        println!("{:>9} scenarios in {:.1} s", self.scenarios, time.as_secs_f64());
        println!("{:>9} invocations of {} processes, {} of them late", self.invocations, self.processes, self.late);
        println!(
            "{:>9} changes: {} covered, {} ignored by name, {} in a dead-letter queue with their reason",
            self.changes, self.covered, self.ignored, self.dead
        );
        println!("{:>9} faults of {} kinds:", self.faults.values().sum::<usize>(), self.faults.len());
        for (kind, times) in &self.faults {
            println!("{times:>15} {kind}");
        }
        let (with, without) = (self.with_faults, self.without_faults);
        println!("{:>9} invalidations, {} without faults", with.invalidations, without.invalidations);
        println!("{:>9} paths billed, {} without faults", with.paths, without.paths);
        println!("{:>9} needless evictions, {} without faults", with.needless, without.needless);
    }
}
