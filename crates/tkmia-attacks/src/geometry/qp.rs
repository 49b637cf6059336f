//! The smallest step that fulfils linear constraints: a quadratic programme, solved by its dual.
//!
//! ```text
//! min ½‖d‖²  subject to  N d ≤ h          (a row of N, an element of h for each constraint)
//! min ½ λᵀ(N Nᵀ)λ + hᵀλ  over  λ ≥ 0,     d = −Nᵀλ
//! ```
//!
//! `d` has as many elements as an image, `λ` as many as there are constraints, some dozens at most:
//! all that is large is read once, for the Gram matrix `N Nᵀ`.

/// A step's multipliers and what they achieve.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LeastNorm {
    /// `λ ≥ 0`, one for each constraint; above 0 only where the constraint is active.
    pub multipliers: Vec<f64>,
    /// The largest element of `N d − h`: above rounding where no step fulfils all constraints.
    pub excess: f64,
    /// `‖d‖²`.
    pub squared_norm: f64,
}

/// Relative to its square: a constraint of whose gradient less is independent of the active ones' doesn't join
/// them. It holds where they do, or contradicts them.
const INDEPENDENT: f64 = 1e-7;

/// Relative to the largest bound: a constraint that is violated by less is fulfilled.
const FULFILLED: f64 = 1e-9;

/// The Gram matrix `N Nᵀ` of constraints' gradients.
pub(crate) trait Gram {
    /// One of its elements.
    fn product(&self, a: usize, b: usize) -> f64;

    /// `N Nᵀ λ`.
    fn times(&self, multipliers: &[f64]) -> Vec<f64>;
}

/// Row-major.
impl Gram for Vec<f64> {
    fn product(&self, a: usize, b: usize) -> f64 {
        self[a * self.len().isqrt() + b]
    }

    fn times(&self, multipliers: &[f64]) -> Vec<f64> {
        let rows = self.chunks_exact(multipliers.len().max(1));
        rows.map(|row| row.iter().zip(multipliers).map(|(g, m)| g * m).sum()).collect()
    }
}

/// Solves the dual for the Gram matrix `N Nᵀ` (`n × n`) and the bounds `h` (`n`).
///
/// An active-set method (Lawson & Hanson 1974, chapter 23): the most violated constraint joins the
/// active ones, whose multipliers are then solved for; those that would turn negative leave.
pub(crate) fn least_norm(gram: &impl Gram, bounds: &[f64]) -> LeastNorm {
    let n = bounds.len();
    let tolerance = FULFILLED * bounds.iter().fold(0.0_f64, |most, bound| most.max(bound.abs()));

    let mut multipliers = vec![0.0; n];
    let mut active: Vec<usize> = Vec::new();
    // A constraint that joins and leaves at once would join again for ever.
    let mut refused = vec![false; n];
    for _ in 0..3 * n + 10 {
        let excess = excesses(gram, bounds, &multipliers);
        let worst = (0..n)
            .filter(|q| !active.contains(q) && !refused[*q] && gram.product(*q, *q) > 0.0)
            .max_by(|&a, &b| excess[a].total_cmp(&excess[b]));
        let Some(worst) = worst.filter(|&worst| excess[worst] > tolerance) else { break };
        active.push(worst);
        loop {
            let Some(target) = solve(gram, bounds, &active) else {
                active.pop();
                refused[worst] = true;
                break;
            };
            if target.iter().all(|&value| value > 0.0) {
                for (&q, value) in active.iter().zip(target) {
                    multipliers[q] = value;
                }
                refused.fill(false);
                break;
            }
            // As far towards the target as all multipliers stay at least 0.
            let stops = active.iter().zip(&target).filter(|&(_, &to)| to <= 0.0);
            let share = stops
                .map(|(&q, &to)| match multipliers[q] - to {
                    0.0 => 0.0,
                    way => multipliers[q] / way,
                })
                .fold(1.0, f64::min);
            for (&q, &to) in active.iter().zip(&target) {
                multipliers[q] += share * (to - multipliers[q]);
            }
            let leaving: Vec<usize> = (active.iter().zip(&target))
                .filter(|&(&q, &to)| to <= 0.0 && multipliers[q] <= 1e-14 * (1.0 + to.abs()))
                .map(|(&q, _)| q)
                .collect();
            if leaving.contains(&worst) {
                refused[worst] = true;
            }
            for &q in &leaving {
                multipliers[q] = 0.0;
            }
            active.retain(|q| !leaving.contains(q));
            if active.is_empty() || leaving.is_empty() {
                break;
            }
        }
    }

    let excess = excesses(gram, bounds, &multipliers);
    // ‖d‖² = λᵀ(N Nᵀ)λ, and N d = −(N Nᵀ)λ.
    let squared_norm = (multipliers.iter().zip(&excess).zip(bounds))
        .map(|((multiplier, excess), bound)| -multiplier * (excess + bound))
        .sum::<f64>();
    let excess = excess.into_iter().fold(f64::NEG_INFINITY, f64::max);
    LeastNorm { multipliers, excess, squared_norm: squared_norm.max(0.0) }
}

/// `N d − h`, with `d = −Nᵀλ`.
fn excesses(gram: &impl Gram, bounds: &[f64], multipliers: &[f64]) -> Vec<f64> {
    let along = gram.times(multipliers);
    along.iter().zip(bounds).map(|(along, bound)| -along - bound).collect()
}

/// The multipliers of the active constraints that make each of them an equation, by Cholesky; none where
/// their gradients depend on each other.
fn solve(gram: &impl Gram, bounds: &[f64], active: &[usize]) -> Option<Vec<f64>> {
    let m = active.len();
    let mut lower = vec![0.0; m * m];
    for i in 0..m {
        for j in 0..=i {
            let inner: f64 = (0..j).map(|l| lower[i * m + l] * lower[j * m + l]).sum();
            let whole = gram.product(active[i], active[j]);
            let rest = whole - inner;
            if i == j && rest <= INDEPENDENT * whole {
                return None;
            }
            lower[i * m + j] = if i == j { rest.sqrt() } else { rest / lower[j * m + j] };
        }
    }
    let mut solution: Vec<f64> = active.iter().map(|&q| -bounds[q]).collect();
    for i in 0..m {
        let inner: f64 = (0..i).map(|l| lower[i * m + l] * solution[l]).sum();
        solution[i] = (solution[i] - inner) / lower[i * m + i];
    }
    for i in (0..m).rev() {
        let inner: f64 = (i + 1..m).map(|l| lower[l * m + i] * solution[l]).sum();
        solution[i] = (solution[i] - inner) / lower[i * m + i];
    }
    Some(solution)
}

/// `aᵀb`, summed in f64 and in the same order everywhere.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0_f64; LANES];
    let (a_whole, b_whole) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a_whole.remainder().iter().zip(b_whole.remainder());
    let rest: f64 = rest.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    for (a, b) in a_whole.zip(b_whole) {
        for lane in 0..LANES {
            sums[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// The Gram matrix `N Nᵀ` of the rows, `n × n`, row-major.
pub(crate) fn gram<R: AsRef<[f32]>>(rows: &[R]) -> Vec<f64> {
    let (n, elements) = (rows.len(), rows.first().map_or(0, |row| row.as_ref().len()));
    let mut gram = vec![0.0; n * n];
    // So much of every row fits into the nearest cache: each is read from afar once, not n times.
    for block in (0..elements).step_by(BLOCK) {
        let of = |row: usize| &rows[row].as_ref()[block..elements.min(block + BLOCK)];
        for i in 0..n {
            for j in 0..=i {
                gram[i * n + j] += dot(of(i), of(j));
            }
        }
    }
    for i in 0..n {
        for j in 0..i {
            gram[j * n + i] = gram[i * n + j];
        }
    }
    gram
}

/// Elements of a row that are multiplied at a time.
const BLOCK: usize = 512;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The step itself, `−Nᵀλ`.
    fn step(rows: &[Vec<f32>], multipliers: &[f64]) -> Vec<f64> {
        let mut step = vec![0.0; rows[0].len()];
        for (row, multiplier) in rows.iter().zip(multipliers) {
            for (step, &value) in step.iter_mut().zip(row) {
                *step -= multiplier * f64::from(value);
            }
        }
        step
    }

    fn solved(rows: &[Vec<f32>], bounds: &[f64]) -> (LeastNorm, Vec<f64>) {
        let solution = least_norm(&gram(rows), bounds);
        let step = step(rows, &solution.multipliers);
        (solution, step)
    }

    fn close(a: &[f64], b: &[f64]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6)
    }

    #[test]
    fn one_constraint_is_met_along_its_normal() {
        // 3a + 4b ≤ −5: the nearest point is 1 away.
        let (solution, step) = solved(&[vec![3.0, 4.0]], &[-5.0]);
        assert!(close(&step, &[-0.6, -0.8]), "{step:?}");
        assert!((solution.squared_norm - 1.0).abs() < 1e-6 && solution.excess.abs() < 1e-6);
    }

    #[test]
    fn what_holds_already_asks_for_nothing() {
        let (solution, step) = solved(&[vec![1.0, 0.0], vec![0.0, 1.0]], &[2.0, 0.0]);
        assert_eq!((solution.multipliers, step), (vec![0.0; 2], vec![0.0; 2]));
        assert_eq!(least_norm(&vec![], &[]).multipliers, [0.0_f64; 0]);
    }

    #[test]
    fn of_two_constraints_both_one_or_the_other_are_active() {
        let rows = [vec![1.0, 0.0], vec![1.0, 1.0]];
        // a ≤ −1 alone leaves a + b = −1; what more is wanted decides.
        assert!(close(&solved(&rows, &[-1.0, -0.5]).1, &[-1.0, 0.0]));
        assert!(close(&solved(&rows, &[-1.0, -1.5]).1, &[-1.0, -0.5]));
        assert!(close(&solved(&rows, &[-1.0, -3.0]).1, &[-1.5, -1.5]));
    }

    #[test]
    fn repeated_rows_share_and_rows_of_zeros_are_left_out() {
        let rows = [vec![2.0, 0.0], vec![2.0, 0.0], vec![0.0, 0.0]];
        let (solution, step) = solved(&rows, &[-2.0, -2.0, -1.0]);
        assert!(close(&step, &[-1.0, 0.0]), "{step:?}");
        // Nothing can lower 0 to −1.
        assert!((solution.excess - 1.0).abs() < 1e-6);
    }

    #[test]
    fn constraints_that_follow_from_each_other_do_not_diverge() {
        // Of four rows each is to be below the next: all differences, of which three are independent.
        let rows = [[1.0_f32, 0.0, 0.2], [0.0, 1.0, 0.1], [0.3, 0.0, 1.0], [0.5, 0.5, 0.5]];
        let pairs = (0..4).flat_map(|a| (a + 1..4).map(move |b| (a, b)));
        let (differences, bounds): (Vec<_>, Vec<_>) = pairs
            .map(|(a, b)| {
                let difference = (0..3).map(|i| rows[a][i] - rows[b][i]).collect::<Vec<f32>>();
                (difference, -((b - a) as f64))
            })
            .unzip();
        let (solution, step) = solved(&differences, &bounds);
        assert!(solution.excess < 1e-6 && step.iter().all(|value| value.abs() < 1e3), "{step:?}");
    }

    #[test]
    fn a_contradiction_shows_as_excess_and_stays_finite() {
        let (solution, step) = solved(&[vec![1.0, 0.0], vec![-1.0, 0.0]], &[-1.0, -1.0]);
        assert!(solution.excess > 0.5 && step.iter().all(|value| value.is_finite()));
    }

    proptest! {
        #[test]
        fn the_optimality_conditions_hold(
            rows in prop::collection::vec(prop::collection::vec(-1.0_f32..1.0, 12), 1..8),
            bounds in prop::collection::vec(-1.0_f64..0.5, 8),
        ) {
            let bounds = &bounds[..rows.len()];
            let (solution, step) = solved(&rows, bounds);
            // Twelve dimensions hold eight rows in general position: they don't contradict.
            let steepness = solution.multipliers.iter().sum::<f64>().max(1.0);
            for ((row, &bound), &multiplier) in rows.iter().zip(bounds).zip(&solution.multipliers) {
                let row: Vec<f64> = row.iter().map(|&value| value.into()).collect();
                let slack = bound - row.iter().zip(&step).map(|(a, b)| a * b).sum::<f64>();
                prop_assert!(multiplier >= 0.0);
                prop_assert!(slack > -1e-6 * steepness, "violated by {slack}");
                prop_assert!(multiplier == 0.0 || slack.abs() < 1e-6 * steepness, "{multiplier} {slack}");
            }
            let norm: f64 = step.iter().map(|value| value * value).sum();
            prop_assert!((norm - solution.squared_norm).abs() < 1e-6 * (1.0 + norm));
        }

        #[test]
        fn no_other_feasible_step_is_shorter(
            rows in prop::collection::vec(prop::collection::vec(-1.0_f32..1.0, 6), 1..5),
            bounds in prop::collection::vec(-1.0_f64..0.0, 5),
            other in prop::collection::vec(-4.0_f64..4.0, 6),
        ) {
            let bounds = &bounds[..rows.len()];
            let (solution, _) = solved(&rows, bounds);
            let feasible = rows.iter().zip(bounds).all(|(row, bound)| {
                row.iter().zip(&other).map(|(&a, b)| f64::from(a) * b).sum::<f64>() <= *bound
            });
            let norm: f64 = other.iter().map(|value| value * value).sum();
            prop_assert!(!feasible || norm >= solution.squared_norm - 1e-6);
        }

        #[test]
        fn a_dot_product_is_that_of_plain_sums(
            (a, b) in (0..40_usize).prop_flat_map(|n| {
                let values = move || prop::collection::vec(-2.0_f32..2.0, n);
                (values(), values())
            }),
        ) {
            let plain: f64 = a.iter().zip(&b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            prop_assert!((dot(&a, &b) - plain).abs() < 1e-9);
        }
    }
}
