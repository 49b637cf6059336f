//! [`Rank`]: how attacks stand among each other, and whether chance alone could have put them so.

use crate::by_image::ByImage;
use crate::comparison::comparison;
use crate::samples::Samples;
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
pub(crate) fn rank(rows: &mut [Row], samples: &[Samples<'_>]) {
    let mut open: Vec<usize> = (0..rows.len()).filter(|&at| rows[at].n > 0).collect();
    while let Some(&one) = open.first() {
        let is_like = |&at: &usize| comparison(samples[one].found, samples[at].found).is_some();
        let (mut group, others): (Vec<usize>, Vec<usize>) = open.into_iter().partition(is_like);
        open = others;
        if group.len() < 2 {
            continue;
        }
        // Equal rows keep the table's order.
        group.sort_by(|&a, &b| rows[a].standing(&rows[b]));
        let first = group[0];
        let mut tests: Vec<[SignTest; 2]> =
            group[1..].iter().map(|&at| against(&samples[at], &samples[first])).collect();
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
fn against(own: &Samples<'_>, first: &Samples<'_>) -> [SignTest; 2] {
    let places = comparison(own.found, first.found).expect("they are compared");
    let pairs = || {
        let both = places.iter().enumerate().filter_map(|(at, place)| Some((at, (*place)?)));
        both.map(|(at, place)| (own.found.records[at], first.found.records[place]))
    };
    let more: ByImage = pairs()
        .map(|(own, first)| (own.id.as_str(), [own.success, first.success].map(f64::from)))
        .collect();
    let norms: ByImage = pairs()
        .filter_map(|(one, two)| {
            let norms = [own.found.norm(one)?, first.found.norm(two)?];
            Some((one.id.as_str(), norms))
        })
        .collect();
    let [fewer, more] = more.signs();
    let [smaller, larger] = norms.signs();
    [SignTest::new(more, fewer), SignTest::new(smaller, larger)]
}
