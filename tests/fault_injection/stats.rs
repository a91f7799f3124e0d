//! The counters of a run, and their output.

use std::collections::BTreeMap;
use std::time::Duration;

/// How often each kind of fault occurred, by kind and operation. The operation is empty for a fault of a process.
pub(crate) type FaultCounts = BTreeMap<(&'static str, &'static str), usize>;

/// The total cost of a run's invalidations.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cost {
    pub(crate) invalidations: usize,
    pub(crate) paths: usize,
    /// Unchanged cached URLs that were evicted.
    pub(crate) unchanged_evicted: usize,
}

/// The counters of a run.
#[derive(Default)]
pub(crate) struct Stats {
    pub(crate) scenarios: usize,
    pub(crate) invocations: usize,
    pub(crate) processes: usize,
    pub(crate) changes: usize,
    pub(crate) jobs: usize,
    /// The scenarios in which all changes arrive in the function's own queue.
    pub(crate) polled_scenarios: usize,
    /// The scenarios in which the function hands throttled changes to its own queue.
    pub(crate) queueing_scenarios: usize,
    pub(crate) polls: usize,
    /// The polls that received the same messages as the poll before, whose deletions were lost.
    pub(crate) repeated_polls: usize,
    /// The changes of direct deliveries that were handed to the queue.
    pub(crate) queued: usize,
    /// The calls that CloudFront refused under a quota in runs without faults.
    pub(crate) refused_without_faults: usize,
    /// The number of scenarios of both kinds under each reading of CloudFront's quota.
    pub(crate) quotas: BTreeMap<&'static str, usize>,
    pub(crate) invalidated: usize,
    pub(crate) skipped: usize,
    /// Changes in a dead-letter queue with a reason.
    pub(crate) dead_lettered: usize,
    /// Deliveries without a response in time, although no fault prevented it.
    pub(crate) late: usize,
    /// The number of calls to AWS in runs with faults, by operation.
    pub(crate) calls: BTreeMap<&'static str, usize>,
    pub(crate) faults: FaultCounts,
    pub(crate) with_faults: Cost,
    pub(crate) without_faults: Cost,
}

impl Cost {
    pub(crate) fn add(&mut self, other: Self) {
        self.invalidations += other.invalidations;
        self.paths += other.paths;
        self.unchanged_evicted += other.unchanged_evicted;
    }
}

impl Stats {
    pub(crate) fn add_faults(&mut self, fault_counts: &FaultCounts) {
        for (kind, count) in fault_counts {
            *self.faults.entry(*kind).or_default() += count;
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.scenarios += other.scenarios;
        self.invocations += other.invocations;
        self.processes += other.processes;
        self.changes += other.changes;
        self.jobs += other.jobs;
        self.polled_scenarios += other.polled_scenarios;
        self.queueing_scenarios += other.queueing_scenarios;
        self.polls += other.polls;
        self.repeated_polls += other.repeated_polls;
        self.queued += other.queued;
        self.refused_without_faults += other.refused_without_faults;
        for (name, count) in &other.quotas {
            *self.quotas.entry(name).or_default() += count;
        }
        self.invalidated += other.invalidated;
        self.skipped += other.skipped;
        self.dead_lettered += other.dead_lettered;
        self.late += other.late;
        self.add_faults(&other.faults);
        for (operation, count) in &other.calls {
            *self.calls.entry(operation).or_default() += count;
        }
        self.with_faults.add(other.with_faults);
        self.without_faults.add(other.without_faults);
    }

    pub(crate) fn print(&self, elapsed: Duration) {
        println!("{:>9} scenarios in {:.1} s", self.scenarios, elapsed.as_secs_f64());
        println!(
            "{:>9} invocations of {} processes, {} timed out without a fault",
            self.invocations, self.processes, self.late
        );
        println!(
            "{:>9} changes: {} invalidated, {} skipped with a reason, {} in a dead-letter queue with a reason",
            self.changes, self.invalidated, self.skipped, self.dead_lettered
        );
        println!("{:>9} CodePipeline jobs", self.jobs);
        println!(
            "{:>9} scenarios polled, {} with refused changes queued: {} polls, {} repeated after lost deletions, \
             {} changes queued, {} refusals without faults",
            self.polled_scenarios,
            self.queueing_scenarios,
            self.polls,
            self.repeated_polls,
            self.queued,
            self.refused_without_faults
        );
        for (name, count) in &self.quotas {
            println!("{count:>15} under the quota: {name}");
        }
        let mut kinds: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut operations: BTreeMap<_, usize> = BTreeMap::new();
        for ((kind, operation), count) in &self.faults {
            kinds.entry(kind).or_default().push((*operation, *count));
            *operations.entry(*operation).or_default() += count;
        }
        println!("{:>9} faults of {} kinds:", self.faults.values().sum::<usize>(), kinds.len());
        for (kind, by_operation) in kinds {
            let total: usize = by_operation.iter().map(|(_, count)| count).sum();
            let counts: Vec<_> = by_operation.iter().map(|(operation, count)| format!("{count} {operation}")).collect();
            println!("{total:>15} {kind}: {}", counts.join(", "));
        }
        for (operation, count) in operations {
            let calls = self.calls.get(operation).copied().unwrap_or_default();
            match operation {
                "" => println!("{count:>15} in processes"),
                _ => println!("{count:>15} in {operation}, of {calls} calls"),
            }
        }
        let (with_faults, without_faults) = (self.with_faults, self.without_faults);
        println!("{:>9} invalidations, {} without faults", with_faults.invalidations, without_faults.invalidations);
        println!("{:>9} paths billed, {} without faults", with_faults.paths, without_faults.paths);
        println!(
            "{:>9} unchanged URLs evicted, {} without faults",
            with_faults.unchanged_evicted, without_faults.unchanged_evicted
        );
    }
}
