//! Every criterion suite is this, with another name.

use std::time::Duration;

use criterion::{Criterion, Throughput};
use ringmail_benches::catalog::select;
use ringmail_benches::pair_slice::{Env, end_on_panic};

/// Runs the suites that `name` selects. For a quick look only: a figure to quote comes from `paired`, which knows when the
/// host has moved the cores.
pub(crate) fn run(name: &str) {
    end_on_panic();
    let env = Env::detect().unwrap_or_else(|e| panic!("{e}"));
    let mut criterion = Criterion::default().configure_from_args();
    for suite in select(name).unwrap_or_else(|e| panic!("{e}")) {
        let env = suite.env(env);
        let mut group = criterion.benchmark_group(suite.name);
        group.throughput(Throughput::Elements(1));
        group.sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(500));
        for contender in suite.contenders {
            group.bench_function(contender.name, |bencher| {
                bencher.iter_custom(|n| (contender.run)(&env, n, contender.name).elapsed);
            });
        }
        group.finish();
    }
    criterion.final_summary();
}
