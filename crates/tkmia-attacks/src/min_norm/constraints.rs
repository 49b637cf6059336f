//! [`Tight`]: what a measure-preserving attack must change, and no more.
//!
//! Eq. 6 of Sun et al. 2023 pushes on every label's score. To hide specified labels without lowering
//! P@k only two things have to hold, and each compares two labels:
//!
//! ```text
//! g1 = S_[a+1] − (¬S)_[k−a]  ≤ 0     all but a of the specified labels are out of the top-k
//! g2 = I_[k−n+1] − A_[n]     ≤ 0     n relevant labels are in it
//! g3 = f_[k+1] − f_[k] + m   ≤ 0     what is in is above the others by m, where that is asked for
//! ```
//!
//! `X_[i]` is the i-th largest score within a set, `I` are the irrelevant labels, `A` those that may
//! fill the places (the relevant ones that aren't specified, and the `a` best specified ones), `n` is
//! the number of relevant labels in the clean top-k, and `a = |S ∩ T_k(x)| − δ`. Where the order
//! is to be kept too, `g2` is asked of shorter prefixes of the ranking as well.

use tkmia_metrics::Ranking;

use crate::Keep;

/// One label is to be below another by some margin: `f_sinks + by ≤ f_rises`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// The label that is to be below.
    pub sinks: usize,
    /// The label that is to be above.
    pub rises: usize,
    /// The margin; 0 where the order alone counts.
    pub by: f64,
}

impl Pair {
    /// `f_sinks − f_rises + by`: below 0 where the pair is as wanted.
    pub fn gap(&self, scores: &[f32]) -> f64 {
        self.gap_of(|label| scores[label].into())
    }

    /// The same of scores that have to be computed.
    pub(super) fn gap_of(&self, mut score: impl FnMut(usize) -> f64) -> f64 {
        score(self.sinks) - score(self.rises) + self.by
    }
}

/// The tight constraints of one sample.
///
/// They hold ([`is_met`](Self::is_met)) if and only if at least δ specified labels have left the top-k
/// and the relevant ones are kept as [`Keep`] says.
///
/// # Example: label 0 is to leave the top-2, for which label 2 must rise
///
/// ```
/// use tkmia_attacks::{Keep, Pair, Tight};
/// use tkmia_metrics::Ranking;
///
/// let (relevant, specified) = ([true, true, true, false], [true, false, false, false]);
/// let clean = Ranking::new(&[4.0_f32, 3.0, 1.0, 2.0])?;
/// let tight = Tight::new(&clean, &relevant, &specified, 2, None, Keep::Count);
/// assert!(!tight.is_met(&clean));
/// // Label 0 against the second of the others; the first irrelevant one against the second of {1, 2}.
/// let contests = [Pair { sinks: 0, rises: 3, by: 0.0 }, Pair { sinks: 3, rises: 2, by: 0.0 }];
/// assert_eq!(tight.contests(&clean), contests);
/// assert!(tight.is_met(&Ranking::new(&[1.0_f32, 4.0, 3.0, 2.0])?));
/// # Ok::<(), tkmia_metrics::MetricsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Tight {
    relevant: Vec<bool>,
    specified: Vec<bool>,
    k: usize,
    staying: usize,
    reachable: bool,
    floors: Vec<Floor>,
    border: f64,
}

/// At least `count` relevant labels among the first `prefix`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Floor {
    prefix: usize,
    count: usize,
}

impl Tight {
    /// The constraints of a sample with this clean ranking.
    ///
    /// `delta` is how many specified labels must leave the top-k, counted as in Eq. 12; `None`: all
    /// that are in the clean one.
    ///
    /// # Panics
    /// If the flags aren't one per label, or `k` isn't in `1..=classes`.
    pub fn new(
        clean: &Ranking,
        relevant: &[bool],
        specified: &[bool],
        k: usize,
        delta: Option<usize>,
        keep: Keep,
    ) -> Self {
        let order = clean.order();
        assert!(
            relevant.len() == order.len() && specified.len() == order.len(),
            "one flag a label"
        );
        assert!((1..=order.len()).contains(&k), "k is in 1..=classes");
        let before = order[..k].iter().filter(|&&label| specified[label]).count();
        let delta = delta.unwrap_or(before);
        let others = specified.iter().filter(|&&flag| !flag).count();
        let staying = before.saturating_sub(delta);
        let flags = relevant.iter().zip(specified);
        let [both, relevant_others] =
            [true, false].map(|wanted| flags.clone().filter(|&(&r, &s)| r && s == wanted).count());
        let floors = floors(&order[..k], relevant, relevant_others, keep);
        let fill = relevant_others + both.min(staying);
        let kept = floors.last().map_or(0, |floor| floor.count);
        Self {
            relevant: relevant.to_vec(),
            specified: specified.to_vec(),
            k,
            staying,
            reachable: delta <= before && others >= k - staying && fill >= kept,
            floors,
            border: 0.0,
        }
    }

    /// The same, and `f_[k] − f_[k+1]` is to be so much at least.
    pub fn with_border(self, margin: f64) -> Self {
        Self { border: margin, ..self }
    }

    /// Size of the predicted set.
    pub fn k(&self) -> usize {
        self.k
    }

    /// How many specified labels may be in the top-k, `a`.
    pub fn staying(&self) -> usize {
        self.staying
    }

    /// How many relevant labels must be in the top-k, `n`.
    pub fn kept(&self) -> usize {
        self.floors.last().map_or(0, |floor| floor.count)
    }

    /// Whether the label is relevant.
    pub fn is_relevant(&self, label: usize) -> bool {
        self.relevant[label]
    }

    /// Whether the constraints hold for this ranking, the border's margin left aside.
    pub fn is_met(&self, now: &Ranking) -> bool {
        let among = |prefix: usize, flags: &[bool]| {
            now.order()[..prefix].iter().filter(|&&label| flags[label]).count()
        };
        self.reachable
            && among(self.k, &self.specified) <= self.staying
            && self.floors.iter().all(|floor| among(floor.prefix, &self.relevant) >= floor.count)
    }

    /// The labels that may fill the top-k, by rank: of the specified ones the first `a`.
    pub(super) fn usable(&self, now: &Ranking) -> impl Iterator<Item = usize> {
        let mut specified = 0;
        now.order().iter().copied().filter(move |&label| {
            specified += usize::from(self.specified[label]);
            !self.specified[label] || specified <= self.staying
        })
    }

    /// The pairs of labels that decide at this ranking whether the constraints hold: `g1`, then `g2`
    /// of each prefix, then that of the border. Contests that nobody could lose are left out.
    pub fn contests(&self, now: &Ranking) -> Vec<Pair> {
        let labels = |wanted: &dyn Fn(usize) -> bool| -> Vec<usize> {
            now.order().iter().copied().filter(|&label| wanted(label)).collect()
        };
        let specified = labels(&|label| self.specified[label]);
        let others = labels(&|label| !self.specified[label]);
        let irrelevant = labels(&|label| !self.relevant[label]);
        let usable: Vec<usize> = self.usable(now).collect();
        let fill: Vec<usize> = usable.iter().copied().filter(|&l| self.relevant[l]).collect();
        let border = || {
            let top = usable.get(..self.k).filter(|_| self.border > 0.0)?;
            let sinks = now.order().iter().copied().find(|label| !top.contains(label))?;
            Some(Pair { sinks, rises: top[self.k - 1], by: self.border })
        };

        let out = pair(&specified, self.staying + 1, &others, self.k.saturating_sub(self.staying));
        let kept = self
            .floors
            .iter()
            .map(|&Floor { prefix, count }| pair(&irrelevant, prefix - count + 1, &fill, count));
        std::iter::once(out).chain(kept).chain([border()]).flatten().collect()
    }

    /// The largest gap of the [contests](Self::contests): below 0 the constraints hold, above 0 they don't, and at 0 the tie rule decides;
    /// `∞` where nothing could fulfil them.
    pub fn margin(&self, scores: &[f32], now: &Ranking) -> f64 {
        if !self.reachable {
            return f64::INFINITY;
        }
        let gaps = self.contests(now).into_iter().map(|pair| pair.gap(scores));
        gaps.fold(f64::NEG_INFINITY, f64::max)
    }

    /// Whether the top-k may be this set of `k` labels.
    pub fn admits(&self, target: &[usize]) -> bool {
        let count = |flags: &[bool]| target.iter().filter(|&&label| flags[label]).count();
        target.len() == self.k
            && count(&self.specified) <= self.staying
            && count(&self.relevant) >= self.kept()
    }

    /// The pairs whose order suffices for a target set that is [admitted](Self::admits): the specified
    /// labels outside the target sink below all of it, the irrelevant ones below its relevant labels. With a
    /// margin at the border all labels outside the target sink below it by that.
    ///
    /// A conjunction of differences of scores, so that the region is convex where scores are linear.
    /// Which labels the shorter prefixes hold is read from the ranking as it is now. Only pairs of labels
    /// that are `among` those looked at count, and of these the ones whose gap is above `-within`: the
    /// others are in order by so much that they decide nothing.
    pub fn pairs(
        &self,
        target: &[usize],
        (scores, now): (&[f32], &Ranking),
        among: impl Fn(usize) -> bool,
        within: f64,
    ) -> Vec<Pair> {
        let order = now.order();
        let inside = |label: usize| target.contains(&label);
        let mut pairs = Vec::new();
        // Both from the highest score to the lowest.
        let mut add = |sinks: &mut dyn Iterator<Item = usize>, rises: &[usize], by: f64| {
            for sinks in sinks {
                let near = |&rises: &usize| {
                    let pair = Pair { sinks, rises, by };
                    (pair.gap(scores) > -within).then_some(pair)
                };
                let near: Vec<Pair> = rises.iter().rev().map_while(near).collect();
                if near.is_empty() {
                    break;
                }
                pairs.extend(near.into_iter().filter(|p| among(p.sinks) && among(p.rises)));
            }
        };
        let mut target: Vec<usize> = target.to_vec();
        target.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
        let labels = order.iter().copied();
        let sinks = |label| !inside(label) && (self.specified[label] || self.border > 0.0);
        add(&mut labels.clone().filter(|&label| sinks(label)), &target, self.border);
        let kept: Vec<usize> = target.iter().copied().filter(|&l| self.relevant[l]).collect();
        for &Floor { prefix, count } in &self.floors {
            let irrelevant = labels.clone().filter(|&label| !self.relevant[label]);
            // In the whole top-k the target's own irrelevant labels have their places.
            match prefix == self.k {
                true => {
                    let outside = irrelevant.filter(|&label| !inside(label));
                    add(&mut outside.skip(kept.len() - count), &kept, 0.0);
                }
                false => add(&mut irrelevant.skip(prefix - count), &kept[..count], 0.0),
            }
        }
        let mut seen = std::collections::HashSet::new();
        // Those of the border come first.
        pairs.retain(|pair| seen.insert([pair.sinks, pair.rises]));
        pairs
    }
}

/// The contest for the `high`-th place of `rise` against the `low`-th of `sink`.
fn pair(sink: &[usize], low: usize, rise: &[usize], high: usize) -> Option<Pair> {
    let sinks = *sink.get(low - 1)?;
    let rises = *rise.get(high.checked_sub(1)?)?;
    Some(Pair { sinks, rises, by: 0.0 })
}

/// What the clean top-k asks of later ones. It is enough to ask at the end of each run of relevant
/// labels: before it fewer are asked for by as many as the prefix is shorter, after it no more.
fn floors(top: &[usize], relevant: &[bool], others: usize, keep: Keep) -> Vec<Floor> {
    if keep == Keep::Nothing {
        return Vec::new();
    }
    let mut count = 0;
    let mut floors = Vec::new();
    for (at, &label) in top.iter().enumerate() {
        count += usize::from(relevant[label]);
        let run_ends = relevant[label] && top.get(at + 1).is_none_or(|&next| !relevant[next]);
        if run_ends && keep >= Keep::Order {
            floors.push(Floor { prefix: at + 1, count });
        }
    }
    if keep == Keep::Full {
        count = count.max(others.min(top.len()));
    }
    floors.retain(|floor| floor.prefix < top.len());
    if count > 0 {
        floors.push(Floor { prefix: top.len(), count });
    }
    floors
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use strum::IntoEnumIterator;
    use tkmia_metrics::{Measures, Sample};

    use super::*;

    const RELEVANT: [bool; 6] = [true, false, true, true, true, false];
    const SPECIFIED: [bool; 6] = [true, false, false, false, false, false];

    fn ranking(order: [usize; 6]) -> Ranking {
        let mut scores = [0.0_f32; 6];
        for (rank, label) in order.into_iter().enumerate() {
            scores[label] = -(rank as f32);
        }
        Ranking::new(&scores).unwrap()
    }

    fn tight(keep: Keep) -> Tight {
        // Relevant, irrelevant, relevant.
        let clean = ranking([0, 1, 2, 3, 4, 5]);
        Tight::new(&clean, &RELEVANT, &SPECIFIED, 3, None, keep)
    }

    #[test]
    fn what_is_asked_for_is_what_was_there() {
        let (count, order) = (tight(Keep::Count), tight(Keep::Order));
        assert_eq!((count.kept(), count.staying()), (2, 0));
        assert_eq!(count.floors, [Floor { prefix: 3, count: 2 }]);
        let first = Floor { prefix: 1, count: 1 };
        assert_eq!(order.floors, [first, Floor { prefix: 3, count: 2 }]);
        let irrelevant_first = ranking([1, 2, 3, 0, 4, 5]);
        assert!(count.is_met(&irrelevant_first) && !order.is_met(&irrelevant_first));
        assert!(order.is_met(&ranking([2, 1, 3, 0, 4, 5])));
    }

    #[test]
    fn a_contest_is_between_the_last_in_and_the_first_out() {
        let clean = ranking([0, 1, 2, 3, 4, 5]);
        let pairs = [(0, 3), (1, 2), (5, 3)].map(|(sinks, rises)| Pair { sinks, rises, by: 0.0 });
        assert_eq!(tight(Keep::Order).contests(&clean), pairs);
        assert_eq!(tight(Keep::Count).contests(&clean), [pairs[0], pairs[2]]);
    }

    #[test]
    fn a_target_set_asks_for_its_own_pairs() {
        let (tight, clean) = (tight(Keep::Count), ranking([0, 1, 2, 3, 4, 5]));
        assert!(tight.admits(&[1, 2, 3]) && tight.admits(&[2, 3, 4]));
        assert!(!tight.admits(&[0, 2, 3]) && !tight.admits(&[1, 2, 5]) && !tight.admits(&[2, 3]));
        let pairs = |of: &[(usize, usize)]| -> Vec<Pair> {
            of.iter().map(|&(sinks, rises)| Pair { sinks, rises, by: 0.0 }).collect()
        };
        let of = |target: &[usize], within| {
            let scores = [6.0_f32, 5.0, 4.0, 3.0, 2.0, 1.0];
            tight.pairs(target, (&scores, &clean), |_| true, within)
        };
        let expected = pairs(&[(0, 3), (0, 2), (0, 1), (5, 3), (5, 2)]);
        assert_eq!(of(&[1, 2, 3], f64::INFINITY), expected);
        // The irrelevant label is 2 below the nearest one that it must stay below.
        assert_eq!(of(&[1, 2, 3], 2.5), expected[..4]);
        // All others leave a margin at the border, and shorter prefixes none.
        let border = tight.clone().with_border(0.5);
        let scores = [6.0_f32, 5.0, 4.0, 3.0, 2.0, 1.0];
        let found = border.pairs(&[1, 2, 3], (&scores, &clean), |_| true, f64::INFINITY);
        let by_margin =
            found.iter().filter(|pair| pair.by == 0.5).map(|pair| (pair.sinks, pair.rises));
        let outside = [0, 4, 5].into_iter().flat_map(|sinks| [3, 2, 1].map(|rises| (sinks, rises)));
        assert!(by_margin.eq(outside) && found.len() == 9, "{found:?}");
        // With three relevant labels one irrelevant may come in.
        let expected = pairs(&[(0, 4), (0, 3), (0, 2), (5, 4), (5, 3), (5, 2)]);
        assert_eq!(of(&[2, 3, 4], f64::INFINITY), expected);
    }

    #[test]
    fn more_than_were_in_cannot_leave() {
        let clean = ranking([0, 1, 2, 3, 4, 5]);
        let tight = Tight::new(&clean, &RELEVANT, &SPECIFIED, 3, Some(2), Keep::Count);
        assert!(!tight.is_met(&ranking([2, 3, 4, 0, 1, 5])));
        assert_eq!(tight.margin(&[0.0; 6], &clean), f64::INFINITY);
    }

    /// Scores without ties of a clean and of a perturbed image, and the flags of eight labels.
    fn case() -> impl Strategy<Value = (Vec<f32>, Vec<f32>, Vec<bool>, Vec<bool>)> {
        let scores = || Just((0..8_u8).map(f32::from).collect::<Vec<f32>>()).prop_shuffle();
        let flags = || prop::collection::vec(any::<bool>(), 8);
        (scores(), scores(), flags(), flags()).prop_map(|(clean, now, relevant, specified)| {
            let specified = relevant.iter().zip(specified).map(|(&a, b)| a && b).collect();
            (clean, now, relevant, specified)
        })
    }

    proptest! {
        #[test]
        fn the_margin_is_below_0_if_and_only_if_the_measures_hold(
            (clean, now, relevant, specified) in case(),
            k in 1..8_usize,
            delta in 0..4_usize,
            margin in prop::sample::select(vec![0.0, 0.5, 1.5, 2.5]),
        ) {
            let [clean, after] = [&clean, &now].map(|scores| Ranking::new(scores).unwrap());
            let count = |ranking: &Ranking, prefix: usize, flags: &[bool]| {
                ranking.order()[..prefix].iter().filter(|&&label| flags[label]).count()
            };
            let left = count(&clean, k, &specified) as i64 - count(&after, k, &specified) as i64;
            let kept = |prefix| count(&after, prefix, &relevant) >= count(&clean, prefix, &relevant);
            for keep in Keep::iter() {
                let kept = match keep {
                    Keep::Nothing => true,
                    Keep::Count => kept(k),
                    Keep::Order => (1..=k).all(kept),
                    Keep::Full => {
                        let flags = relevant.iter().zip(&specified);
                        let others = flags.filter(|&(&relevant, &specified)| relevant && !specified);
                        (1..=k).all(kept) && count(&after, k, &relevant) >= k.min(others.count())
                    }
                };
                let holds = kept && left >= delta as i64;
                let tight = Tight::new(&clean, &relevant, &specified, k, Some(delta), keep);
                prop_assert_eq!(tight.is_met(&after), holds, "{:?}", keep);
                prop_assert_eq!(tight.margin(&now, &after) < 0.0, holds, "{:?}", keep);
                let [last, next] = [k - 1, k].map(|rank| f64::from(now[after.order()[rank]]));
                let (margin_holds, tight) = (last - next > margin, tight.with_border(margin));
                prop_assert_eq!(tight.margin(&now, &after) < 0.0, holds && margin_holds);
            }
        }

        #[test]
        fn where_the_order_is_kept_no_measure_drops(
            (clean, now, relevant, specified) in case(),
            k in 1..8_usize,
        ) {
            let [clean, now] = [clean, now].map(|scores| Ranking::new(&scores).unwrap());
            let tight = Tight::new(&clean, &relevant, &specified, k, Some(0), Keep::Order);
            let [before, after] = [&clean, &now].map(|ranking| {
                Measures::of(&Sample { ranking, relevant: &relevant, specified: None, k }).unwrap()
            });
            if tight.is_met(&now) {
                // Sums of the same fractions may differ in their last bits.
                let kept = |name| {
                    let values = before.get(name).zip(after.get(name));
                    values.is_none_or(|(before, after)| after > before - 1e-12)
                };
                prop_assert!(after.get("p") >= before.get("p"));
                prop_assert!(kept("ap") && kept("ndcg"));
            }
        }
    }
}
