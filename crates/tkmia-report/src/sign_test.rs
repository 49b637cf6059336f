//! [`SignTest`]: whether one of two is ahead more often than a fair coin would have it.

/// An exact two-sided sign test. Ties count for neither.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignTest {
    /// How often the one is ahead.
    pub own: usize,
    /// How often the other is.
    pub other: usize,
    /// The probability of a division at least as uneven if both are ahead as often.
    pub p: f64,
}

impl SignTest {
    /// Of these numbers.
    pub fn new(own: usize, other: usize) -> Self {
        let n = (own + other) as f64;
        // ln of `C(n, i) / 2^n`, from i = 0 on.
        let mut term = -n * std::f64::consts::LN_2;
        let mut tail = 0.0;
        for i in 0..=own.min(other) {
            tail += term.exp();
            term += ((n - i as f64) / (i as f64 + 1.0)).ln();
        }
        Self { own, other, p: (2.0 * tail).min(1.0) }
    }

    /// Replaces each p by Holm's (1979), for several tests at once.
    pub(crate) fn correct(mut tests: Vec<&mut Self>) {
        tests.sort_by(|a, b| a.p.total_cmp(&b.p));
        let mut least = 0.0_f64;
        for (at, left) in (0..tests.len()).zip((1..=tests.len()).rev()) {
            least = least.max((left as f64 * tests[at].p).min(1.0));
            tests[at].p = least;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_is_that_of_a_fair_coin() {
        for ((own, other), expected) in [
            ((0, 0), 1.0),
            ((3, 3), 1.0),
            ((0, 5), 2.0 / 32.0),
            ((5, 0), 2.0 / 32.0),
            ((1, 7), 2.0 * 9.0 / 256.0),
            ((2, 8), 2.0 * 56.0 / 1024.0),
        ] {
            let SignTest { p, .. } = SignTest::new(own, other);
            assert!((p - expected).abs() < 1e-12, "{own} {other}: {p}");
        }
        let far = SignTest::new(0, 2000);
        assert!(far.p >= 0.0 && far.p < 1e-300);
    }

    #[test]
    fn several_tests_are_corrected_together() {
        let mut tests = [0.03, 0.01, 0.04].map(|p| SignTest { own: 0, other: 0, p });
        SignTest::correct(tests.iter_mut().collect());
        let [a, b, c] = tests.map(|test| test.p);
        assert!((b - 0.03).abs() < 1e-12 && (a - 0.06).abs() < 1e-12 && (c - 0.06).abs() < 1e-12);
    }
}
