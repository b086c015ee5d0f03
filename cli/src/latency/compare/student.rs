//! Quantiles of Student's t distribution.

use std::f64::consts::{FRAC_PI_2, PI};

/// The value that Student's t with `freedom` degrees of freedom, at least 1, exceeds in absolute value with the probability `two_tails`.
///
/// Hill: "Algorithm 396: Student's t-quantiles", Communications of the ACM 13 (10), 1970. Good to a few parts in ten thousand.
pub(super) fn quantile(two_tails: f64, freedom: f64) -> f64 {
    let (p, n) = (two_tails, freedom.max(1.0));
    if n < 1.5 {
        return 1.0 / (p * FRAC_PI_2).tan();
    }
    if n < 2.5 {
        return (2.0 / (p * (2.0 - p)) - 2.0).sqrt();
    }
    let a = 1.0 / (n - 0.5);
    let b = 48.0 / (a * a);
    let mut c = ((20_700.0 * a / b - 98.0) * a - 16.0) * a + 96.36;
    let d = ((94.5 / (b + c) - 3.0) / b + 1.0) * (a * FRAC_PI_2).sqrt() * n;
    let mut x = d * p;
    let mut y = x.powf(2.0 / n);
    if y > 0.05 + a {
        x = normal(p / 2.0);
        y = x * x;
        if n < 5.0 {
            c += 0.3 * (n - 4.5) * (x + 0.6);
        }
        c += (((0.05 * d * x - 5.0) * x - 7.0) * x - 2.0) * x + b;
        y = (((((0.4 * y + 6.3) * y + 36.0) * y + 94.5) / c - y - 3.0) / b + 1.0) * x;
        y = (a * y * y).exp_m1();
    } else {
        y = ((1.0 / (((n + 6.0) / (n * y) - 0.089 * d - 0.822) * (n + 2.0) * 3.0) + 0.5 / (n + 4.0)) * y - 1.0)
            * (n + 1.0)
            / (n + 2.0)
            + 1.0 / y;
    }
    (n * y).sqrt()
}

/// The value below which a standard normal lies with the probability `p`, at most a half: by halving, from the tail's own integral.
fn normal(p: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 0.0);
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if tail(-middle) < p { low = middle } else { high = middle }
    }
    low
}

/// Probability that a standard normal exceeds `x`, which is not negative. Up to 3 by its series, beyond by its continued fraction
/// (Abramowitz and Stegun, 26.2.11 and 26.2.14).
fn tail(x: f64) -> f64 {
    let density = (-x * x / 2.0).exp() / (2.0 * PI).sqrt();
    if x > 3.0 {
        return density / (1..=60).rev().fold(x, |rest, i| x + f64::from(i) / rest);
    }
    let (mut term, mut sum) = (x, x);
    for i in 1..80 {
        term *= x * x / f64::from(2 * i + 1);
        sum += term;
    }
    0.5 - density * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the tables in Abramowitz and Stegun, 26.10.
    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (two_tails, freedom, want) in [
            (0.05, 1.0, 12.706),
            (0.05, 2.0, 4.303),
            (0.05, 3.0, 3.182),
            (0.05, 5.0, 2.571),
            (0.05, 10.0, 2.228),
            (0.05, 30.0, 2.042),
            (0.05, 1e6, 1.960),
            (0.01, 4.0, 4.604),
            (0.01, 20.0, 2.845),
            (0.002, 10.0, 4.144),
            (0.002, 20.0, 3.552),
            (0.001, 5.0, 6.869),
            (0.001, 60.0, 3.460),
            (0.001, 1e6, 3.291),
        ] {
            let got = quantile(two_tails, freedom);
            assert!((got / want - 1.0).abs() < 2e-3, "t({two_tails}, {freedom}) = {got}, not {want}");
        }
    }

    #[test]
    fn the_normal_is_known() {
        for (p, want) in [(0.5, 0.0), (0.025, -1.95996), (0.001, -3.09023), (1e-6, -4.75342), (1e-9, -5.99781)] {
            assert!((normal(p) - want).abs() < 1e-4, "{p}: {}", normal(p));
        }
    }
}
