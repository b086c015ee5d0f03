//! Running a model: exhaustively, counted, with its outcomes compared to a list.

use ringmail::model::{Site, heavy_fails, with_mutant};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Most branches of one execution before loom calls it an endless loop.
const MAX_BRANCHES: usize = 20_000;

/// Explores `f`: every execution, or every one with at most `preemptions` involuntary switches. Prints how many there were.
///
/// # Panics
/// If loom or `f` finds a fault, or if there was only one execution: a model without concurrency proves nothing.
pub fn model(name: &str, preemptions: Option<usize>, f: impl Fn() + Send + Sync + 'static) {
    let executions = Arc::new(AtomicUsize::new(0));
    let count = executions.clone();
    let mut builder = loom::model::Builder::new();
    builder.max_branches = MAX_BRANCHES;
    builder.preemption_bound = preemptions;
    // Either of these ends the search early and calls that a success.
    builder.max_duration = None;
    builder.max_permutations = None;
    builder.checkpoint_file = None;
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        heavy_fails(false);
        f();
    });
    let executions = executions.load(Ordering::Relaxed);
    println!("model {name}: {executions} executions");
    assert!(executions > 1, "{name} explored nothing");
}

/// Explores `f` as [`model`] does, and compares what it returned in all executions with `allowed`: nothing else may happen,
/// and each of these must.
pub fn outcomes<O: Ord + Debug + Send + Sync + 'static>(
    name: &str,
    preemptions: Option<usize>,
    allowed: impl IntoIterator<Item = O>,
    f: impl Fn() -> O + Send + Sync + 'static,
) {
    let allowed = Arc::new(allowed.into_iter().collect::<BTreeSet<O>>());
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let (note, may) = (seen.clone(), allowed.clone());
    model(name, preemptions, move || {
        let outcome = f();
        assert!(may.contains(&outcome), "forbidden outcome {outcome:?}");
        note.lock().unwrap_or_else(PoisonError::into_inner).insert(outcome);
    });
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(*seen == *allowed, "{name}: reached {seen:?}, not all of {allowed:?}");
}

/// Runs `models` without the asymmetric barriers. That is what hardware does for a notifier, and for a FENCED event count.
pub fn without_fences<R>(models: impl FnOnce() -> R) -> R {
    with_mutant(Site::LightBarrier, || with_mutant(Site::HeavyBarrier, models))
}
