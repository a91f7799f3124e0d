//! Runs a target: first its corpus, then inputs mutated from it. An input that shows a new behavior is kept and mutated
//! further.
//!
//! Proptest picks the inputs and shrinks those that fail. Bolero would measure branch coverage, also on stable Rust,
//! but only under its own cargo command, with libFuzzer's C++ and a second, instrumented build of all dependencies;
//! under `cargo test` it draws at random. Here one build does both, and behaviors take the place of branches.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt::Write;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::mutate::inputs;

/// The number of inputs that `cargo test` tries for a target. All targets together take a few seconds.
const SHORT_RUN: u64 = 2000;

/// The number of inputs to try before those that showed a new behavior are mutated too.
const ROUND: u32 = 250;

/// The most inputs in the pool, the corpus included.
const MOST_KEPT: usize = 4000;

/// The outcome of a check: a short text for the behavior that the input showed, or what is wrong.
pub(crate) type Checked = Result<String, TestCaseError>;

pub(crate) struct Target {
    /// The name of the target, and of its corpus directory.
    pub(crate) name: &'static str,
    pub(crate) check: fn(&[u8]) -> Checked,
    /// Fragments to insert into inputs.
    pub(crate) words: &'static [&'static str],
    /// Further directories whose files belong to the corpus.
    pub(crate) fixtures: &'static [&'static str],
}

impl Target {
    /// The files of the corpus with their content, sorted by path.
    fn corpus(&self) -> Vec<(String, Vec<u8>)> {
        let own = format!("tests/data/corpus/{}", self.name);
        let directories = std::iter::once(own.as_str()).chain(self.fixtures.iter().copied());
        let files = directories.flat_map(|directory| {
            let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
            let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
            entries.map(|entry| entry.unwrap().path())
        });
        let mut corpus: Vec<_> = files.map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect();
        assert!(!corpus.is_empty());
        corpus.sort();
        corpus
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name}={value} is not a number")))
}

/// The length of a run: a number of inputs, or a duration.
enum Length {
    Inputs(u64),
    Time(Duration),
}

/// Replays the corpus, then tries new inputs. `FUZZ_SECONDS` sets the duration of the run, `FUZZ_SEED` repeats one.
pub(crate) fn run(target: &Target) {
    let length = variable("FUZZ_SECONDS").map_or(Length::Inputs(SHORT_RUN), |it| Length::Time(Duration::from_secs(it)));
    let mut behaviours = HashSet::new();
    let mut pool = vec![Vec::new()];
    for (name, input) in target.corpus() {
        // Captured unless the check panics; then the last name printed is that of the input.
        if matches!(length, Length::Inputs(_)) {
            println!("{name}");
        }
        match (target.check)(&input) {
            Ok(behaviour) => behaviours.insert(behaviour),
            Err(error) => panic!("{name}: {error}"),
        };
        pool.push(input);
    }
    let seed = variable("FUZZ_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("{}: FUZZ_SEED={seed}", target.name);
    let (tried, behaviours, found) = (Cell::new(0_u64), RefCell::new(behaviours), RefCell::new(Vec::new()));
    let began = Instant::now();
    let unfinished = || match length {
        Length::Inputs(number) => tried.get() < number,
        Length::Time(time) => began.elapsed() < time,
    };
    for round in (1_u64..).take_while(|_| unfinished()) {
        let config = Config { cases: ROUND, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
        let state = [seed.to_le_bytes(), round.to_le_bytes()].concat();
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::XorShift, &state));
        let result = runner.run(&inputs(&Rc::new(pool.clone()), target.words), |input| {
            tried.set(tried.get() + 1);
            let behaviour = (target.check)(&input)?;
            if pool.len() + found.borrow().len() < MOST_KEPT && behaviours.borrow_mut().insert(behaviour) {
                found.borrow_mut().push(input);
            }
            Ok(())
        });
        match result {
            Ok(()) => pool.append(&mut found.borrow_mut()),
            Err(TestError::Fail(reason, input)) => finding(target, seed, &reason.to_string(), &input),
            Err(TestError::Abort(reason)) => panic!("{}: {reason}", target.name),
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{}: {} executions in {seconds:.1} s, {:.0} a second; {} behaviours; no finding",
        target.name,
        tried.get(),
        f64::from(u32::try_from(tried.get()).unwrap_or(u32::MAX)) / seconds,
        behaviours.borrow().len(),
    );
}

/// Fails with all that is needed to make a regression test of an input.
fn finding(target: &Target, seed: u64, reason: &str, input: &[u8]) {
    let mut hex = String::new();
    for byte in input {
        write!(hex, "{byte:02x}").unwrap();
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("finding-{}-{seed}", target.name));
    fs::write(&file, input).unwrap();
    panic!(
        "{name}: {reason}\nwith FUZZ_SEED={seed} the input, {length} bytes, shrunk: {text}\nin hex: {hex}\nto keep it: cp {file} \
         tests/data/corpus/{name}/ under a name that describes the behaviour",
        name = target.name,
        length = input.len(),
        text = input.escape_ascii(),
        file = file.display(),
    );
}
