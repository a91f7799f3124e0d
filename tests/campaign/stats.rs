//! The counters of a run, and their output.

use std::collections::BTreeMap;
use std::time::Duration;

/// How often each kind of fault occurred, by kind and operation. The operation is empty for what is done to a process.
pub(crate) type Kinds = BTreeMap<(&'static str, &'static str), usize>;

/// The total cost of a run's invalidations.
#[derive(Clone, Copy, Default)]
pub(crate) struct Spent {
    pub(crate) invalidations: usize,
    pub(crate) paths: usize,
    /// Cached URLs that were evicted although they had not changed.
    pub(crate) needless: usize,
}

#[derive(Default)]
pub(crate) struct Stats {
    pub(crate) scenarios: usize,
    pub(crate) invocations: usize,
    pub(crate) processes: usize,
    pub(crate) changes: usize,
    pub(crate) jobs: usize,
    pub(crate) covered: usize,
    pub(crate) ignored: usize,
    /// Changes that ended in a dead-letter queue, with their reason.
    pub(crate) dead: usize,
    /// Deliveries that the function did not answer in time although nothing prevented it.
    pub(crate) late: usize,
    /// The number of calls to AWS in runs with faults, by operation.
    pub(crate) calls: BTreeMap<&'static str, usize>,
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

impl Stats {
    pub(crate) fn count(&mut self, kinds: &Kinds) {
        for (kind, times) in kinds {
            *self.faults.entry(*kind).or_default() += times;
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.scenarios += other.scenarios;
        self.invocations += other.invocations;
        self.processes += other.processes;
        self.changes += other.changes;
        self.jobs += other.jobs;
        self.covered += other.covered;
        self.ignored += other.ignored;
        self.dead += other.dead;
        self.late += other.late;
        self.count(&other.faults);
        for (operation, times) in &other.calls {
            *self.calls.entry(operation).or_default() += times;
        }
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
        println!("{:>9} jobs of pipelines", self.jobs);
        let mut kinds: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut operations: BTreeMap<_, usize> = BTreeMap::new();
        for ((kind, operation), times) in &self.faults {
            kinds.entry(kind).or_default().push((*operation, *times));
            *operations.entry(*operation).or_default() += times;
        }
        println!("{:>9} faults of {} kinds:", self.faults.values().sum::<usize>(), kinds.len());
        for (kind, by_operation) in kinds {
            let all: usize = by_operation.iter().map(|(_, times)| times).sum();
            let resources: Vec<_> =
                by_operation.iter().map(|(operation, times)| format!("{times} {operation}")).collect();
            println!("{all:>15} {kind}: {}", resources.join(", "));
        }
        for (operation, times) in operations {
            let calls = self.calls.get(operation).copied().unwrap_or_default();
            match operation {
                "" => println!("{times:>15} at no call"),
                _ => println!("{times:>15} at {operation}, of {calls} calls"),
            }
        }
        let (with, without) = (self.with_faults, self.without_faults);
        println!("{:>9} invalidations, {} without faults", with.invalidations, without.invalidations);
        println!("{:>9} paths billed, {} without faults", with.paths, without.paths);
        println!("{:>9} needless evictions, {} without faults", with.needless, without.needless);
    }
}
