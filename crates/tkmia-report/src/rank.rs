//! [`Rank`]: how attacks stand among each other, and whether chance alone could have put them so.

use crate::by_image::Images;
use crate::comparison::Found;
use crate::{Row, SignTest};

/// Where a row stands among the rows that it may be compared with: by success rate, of equal ones by mean
/// norm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rank {
    /// From 1, the first.
    pub place: usize,
    /// Rows that are compared.
    pub of: usize,
    /// The place of the first among the table's rows.
    pub first: usize,
    /// Against the first, over images: which has more successes, and, where both have some, which has the smaller norm.
    /// None for the first itself.
    pub versus: [Option<SignTest>; 2],
}

/// Gives each row with records its rank, where there is something to compare it with.
pub(crate) fn rank(rows: &mut [Row], found: &[(&Found<'_>, &Images)]) {
    let mut open: Vec<usize> = (0..rows.len()).filter(|&at| rows[at].n > 0).collect();
    while let Some(&one) = open.first() {
        let is_like = |&at: &usize| found[one].0.is_like(found[at].0);
        let (mut group, others): (Vec<usize>, Vec<usize>) = open.into_iter().partition(is_like);
        open = others;
        if group.len() < 2 {
            continue;
        }
        // Equal rows keep the table's order.
        group.sort_by(|&a, &b| rows[a].standing(&rows[b]));
        let first = group[0];
        let mut tests: Vec<[SignTest; 2]> =
            group[1..].iter().map(|&at| against(found[at], found[first].0)).collect();
        for which in 0..2 {
            SignTest::correct(tests.iter_mut().map(|tests| &mut tests[which]).collect());
        }
        let versus = std::iter::once([None; 2]).chain(tests.into_iter().map(|it| it.map(Some)));
        for (at, (&row, versus)) in group.iter().zip(versus).enumerate() {
            rows[row].rank = Some(Rank { place: at + 1, of: group.len(), first, versus });
        }
    }
}

/// Over the images that both are on.
fn against((own, images): (&Found<'_>, &Images), first: &Found<'_>) -> [SignTest; 2] {
    let both = || images.drawn(own.samples()).filter(|&sample| sample < first.samples());
    let norms = |sample| [own, first].map(|found| found.norm(sample));
    let successes =
        both().map(|at| (at, norms(at).map(|norm| if norm.is_some() { 1.0 } else { 0.0 })));
    let sizes = both().filter_map(|at| {
        let [one, two] = norms(at);
        Some((at, [one?, two?]))
    });
    let [fewer, more] = images.sum(successes).signs();
    let [smaller, larger] = images.sum(sizes).signs();
    [SignTest::new(more, fewer), SignTest::new(smaller, larger)]
}
