//! What the sweeps of all scenarios add up to.

/// What the sweeps of scenarios add up to: points, runs, violations, the slowest notice in ms, removals, points without one, how often
/// the child was told of it or was in another file, sessions.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Sum(pub(crate) [u64; 9]);

impl Sum {
    /// Prints the line that `all` reads.
    pub(crate) fn print(self) {
        println!("sum {}", self.0.map(|number| number.to_string()).join(" "));
    }

    pub(crate) fn add(&mut self, line: &str) {
        for (at, (sum, number)) in self.0.iter_mut().zip(line.split(' ')).enumerate() {
            let number = number.parse().unwrap_or(0);
            *sum = if at == 3 { number.max(*sum) } else { number + *sum };
        }
    }
}
