//! [`Cohort`]: the samples of a setting, and what is specified of each.

use std::collections::HashSet;
use std::ops::Range;

use tkmia_attacks::{eligible, eligible_by_labels, global_selection, random_selection};
use tkmia_core::{CoreError, LabelSet};
use tkmia_data::{Dataset, type_classes};
use tkmia_metrics::Ranking;

use crate::error::ExperimentError;
use crate::setting::{Selection, Setting};

/// The samples that take part in a setting.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cohort {
    /// The setting.
    pub setting: Setting,
    /// Its samples, in the order in which they were offered.
    pub members: Vec<Member>,
}

/// A sample that takes part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its index in the dataset.
    pub index: usize,
    /// `S`, label indices ascending.
    pub specified: Vec<usize>,
    /// Which of the random scheme's draws gave it, from 0.
    pub draws: Vec<usize>,
}

/// A [`Cohort`] in the making: images are offered one after the other until it is full.
#[derive(Debug)]
pub(crate) struct Draw<'a> {
    dataset: &'a dyn Dataset,
    rule: Rule,
    limit: usize,
    excluded: HashSet<usize>,
    /// Images that take part by now.
    images: usize,
    cohort: Cohort,
    lost: Vec<usize>,
    undecodable: Vec<usize>,
}

/// What was drawn.
#[derive(Debug)]
pub(crate) struct Drawn {
    /// The samples: the first draw of all images, then what others gave.
    pub cohort: Cohort,
    /// Images whose labels let them through, but whose scores aren't finite, by index.
    pub lost: Vec<usize>,
    /// The same that can't be decoded.
    pub undecodable: Vec<usize>,
}

/// How `S` comes about.
#[derive(Debug)]
enum Rule {
    /// `S = categories ∩ Y_p`, of every image.
    Global(LabelSet),
    /// So many labels, drawn by each of these seeds.
    Random(usize, Range<u64>),
}

impl<'a> Draw<'a> {
    /// Of the first `limit` eligible images; `seeds` are those of the random scheme's draws, see
    /// [`random_selection`].
    ///
    /// # Errors
    /// - [`CoreError::TopKOutOfRange`] unless `1 ≤ k < c`
    /// - [`tkmia_data::DataError::UnknownType`] for a type that the dataset hasn't
    pub fn new(
        dataset: &'a dyn Dataset,
        setting: Setting,
        limit: usize,
        seeds: Range<u64>,
    ) -> Result<Self, ExperimentError> {
        let (k, classes) = (setting.k, dataset.classes().len());
        if k == 0 || k >= classes {
            return Err(CoreError::TopKOutOfRange { k, classes }.into());
        }
        let rule = match &setting.selection {
            Selection::Global(types) => {
                let categories = type_classes(dataset, types)?;
                Rule::Global(global_selection(dataset.labels(), &categories)?)
            }
            &Selection::Random(specified) => Rule::Random(specified, seeds),
        };
        let (excluded, cohort) = (HashSet::new(), Cohort { setting, members: Vec::new() });
        let (lost, undecodable) = (Vec::new(), Vec::new());
        Ok(Self { dataset, rule, limit, excluded, images: 0, cohort, lost, undecodable })
    }

    /// The same without these images.
    pub fn without(self, excluded: HashSet<usize>) -> Self {
        Self { excluded, ..self }
    }

    /// Whether there is room for the image, as far as its labels alone say.
    pub fn wants(&self, index: usize) -> bool {
        self.images < self.limit && !self.excluded.contains(&index) && self.fits_by_labels(index)
    }

    /// How many images take part at most, as far as their labels alone say.
    pub fn upper_limit(&self) -> usize {
        let fitting = (0..self.dataset.len()).filter(|&index| self.fits_by_labels(index));
        fitting.take(self.limit).count()
    }

    /// What was drawn of the images by now.
    pub fn finish(self) -> Drawn {
        let Self { mut cohort, lost, undecodable, .. } = self;
        cohort.members.sort_by_key(|member| member.draws.first().copied());
        Drawn { cohort, lost, undecodable }
    }

    fn fits_by_labels(&self, index: usize) -> bool {
        let (labels, Setting { k, delta, .. }) = (self.dataset.labels(), &self.cohort.setting);
        match &self.rule {
            // Of fewer labels than δ, δ can't leave.
            Rule::Global(specified) => {
                eligible_by_labels(labels.row(index), specified.row(index), *k).is_ok()
                    && delta.is_none_or(|delta| specified.count(index) >= delta)
            }
            Rule::Random(specified, _) => labels.count(index) >= k + specified,
        }
    }

    /// Notes that the image can't be decoded, if there is room for it.
    pub fn miss(&mut self, index: usize) {
        if self.wants(index) {
            self.undecodable.push(index);
        }
    }

    /// Takes the image in, given its clean scores, if there is room for it and it is eligible.
    pub fn offer(&mut self, index: usize, scores: &[f32]) {
        // Most samples fail by their labels alone, which needs no ranking.
        if !self.wants(index) {
            return;
        }
        let Ok(ranking) = Ranking::new(scores) else {
            self.lost.push(index);
            return;
        };
        let Setting { k, delta, .. } = self.cohort.setting;
        let relevant = self.dataset.labels().row(index);
        let mut members: Vec<Member> = Vec::new();
        // A sample that doesn't take part is none of the setting's.
        match &self.rule {
            Rule::Global(specified) => {
                if eligible(&ranking, relevant, specified.row(index), k, delta).is_ok() {
                    let specified = specified.indices(index);
                    members.push(Member { index, specified, draws: Vec::new() });
                }
            }
            Rule::Random(count, seeds) => {
                for (draw, seed) in seeds.clone().enumerate() {
                    let id = self.dataset.id(index);
                    let Ok(specified) = random_selection(&ranking, relevant, k, *count, seed, id)
                    else {
                        break;
                    };
                    match members.iter_mut().find(|member| member.specified == specified) {
                        Some(member) => member.draws.push(draw),
                        None => members.push(Member { index, specified, draws: vec![draw] }),
                    }
                }
            }
        }
        self.images += usize::from(!members.is_empty());
        self.cohort.members.extend(members);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use tkmia_data::Voc2012;

    use super::*;

    fn voc() -> Voc2012 {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/mini-voc");
        Voc2012::open(root, "val").unwrap()
    }

    fn setting(selection: Selection, k: usize) -> Setting {
        Setting { dataset: "VOC 2012".to_owned(), selection, k, delta: None }
    }

    #[test]
    fn labels_let_a_sample_through_to_be_drawn_from_if_it_has_enough_of_them() {
        let voc = voc();
        for (k, specified) in [(1, 1), (2, 2), (3, 2), (3, 3)] {
            let draw =
                Draw::new(&voc, setting(Selection::Random(specified), k), 1000, 0..1).unwrap();
            let rich =
                (0..voc.len()).filter(|&index| voc.labels().indices(index).len() >= k + specified);
            assert_eq!(draw.upper_limit(), rich.count());
        }
    }

    #[test]
    fn of_a_type_at_least_delta_labels_have_to_be_there() {
        let voc = voc();
        let animals = type_classes(&voc, "Animals").unwrap();
        for (k, delta) in [(1, 1), (2, 1), (2, 2), (3, 2)] {
            let setting = setting(Selection::Global("Animals".to_owned()), k);
            let setting = Setting { delta: Some(delta), ..setting };
            let fits = |index: &usize| {
                let relevant = voc.labels().indices(*index);
                let specified = relevant.iter().filter(|label| animals.contains(label)).count();
                specified >= delta && relevant.len() >= k + specified
            };
            let expected = (0..voc.len()).filter(fits).count();
            assert!(expected > 0);
            assert_eq!(Draw::new(&voc, setting, 1000, 0..1).unwrap().upper_limit(), expected);
        }
    }

    #[test]
    fn a_cohort_is_full_at_its_limit_and_keeps_the_order() {
        let voc = voc();
        // Every image has its own labels as the top of its ranking: all that labels let through is eligible.
        let scores: Vec<Vec<f32>> = (0..voc.len())
            .map(|index| {
                let flags = voc.labels().row(index).iter();
                flags
                    .enumerate()
                    .map(|(label, &flag)| f32::from(flag) - label as f32 * 1e-3)
                    .collect()
            })
            .collect();
        let setting = setting(Selection::Random(2), 3);
        let cohort = |limit, seeds| {
            let mut draw = Draw::new(&voc, setting.clone(), limit, seeds).unwrap();
            for (index, scores) in scores.iter().enumerate() {
                draw.offer(index, scores);
            }
            draw.finish().cohort
        };
        let all = cohort(1000, 1..2);
        let rich =
            (0..voc.len()).filter(|&index| voc.labels().count(index) >= 5).collect::<Vec<_>>();
        assert_eq!(all.members.iter().map(|member| member.index).collect::<Vec<_>>(), rich);
        assert_eq!(cohort(7, 1..2).members, all.members[..7]);
        let other = cohort(1000, 2..3);
        assert_ne!(other.members, all.members, "another seed draws other labels");
        let k = setting.k;
        for member in &all.members {
            let top = voc.labels().indices(member.index)[..k].to_vec();
            assert!(
                member.specified.len() == 2 && member.specified.iter().all(|s| top.contains(s))
            );
        }
        // The first draw comes first; each other is what its seed alone gives, and none is there twice.
        let several = cohort(1000, 1..6);
        for (draw, alone) in (1..6).map(|seed| cohort(1000, seed..seed + 1)).enumerate() {
            let of_draw = several.members.iter().filter(|member| member.draws.contains(&draw));
            let mut of_draw: Vec<_> = of_draw.map(|m| (m.index, &m.specified)).collect();
            of_draw.sort();
            assert!(of_draw.into_iter().eq(alone.members.iter().map(|m| (m.index, &m.specified))));
        }
        let first = &several.members[..all.members.len()];
        assert!(first.iter().zip(&all.members).all(|(one, two)| one.specified == two.specified));
        let different: HashSet<_> =
            several.members.iter().map(|m| (m.index, &m.specified)).collect();
        assert_eq!(different.len(), several.members.len());
        // Of three labels in the top three two are drawn in three ways.
        assert!(several.members.len() > 2 * all.members.len());
    }
}
