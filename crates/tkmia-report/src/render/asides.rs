//! [`Aside`]: what stands below a table, the same in Markdown and on the page.

use std::collections::{BTreeMap, BTreeSet};

use tkmia_attacks::Indicator;
use tkmia_metrics::MEASURES;

use super::markdown::number;
use crate::row::name_headings;
use crate::{Form, Rank, ReportTable, Rival, Row, SignTest};

/// A table of plain texts with what it means.
#[derive(Debug)]
pub(super) struct Aside {
    pub title: String,
    pub headings: Vec<String>,
    /// How many of its columns are words.
    pub words: usize,
    pub rows: Vec<Vec<String>>,
    pub notes: Vec<String>,
}

/// An attack of a lower success rate makes a network look robust.
const LOOKS_ROBUST: f64 = 0.9;

impl ReportTable {
    /// Those that have a row.
    pub(super) fn asides(&self, classes: &[String]) -> Vec<Aside> {
        let asides =
            [self.measures(), self.ranks(), self.versus(), self.signs(), self.by_class(classes)];
        asides.into_iter().filter(|aside| !aside.rows.is_empty()).collect()
    }

    /// What the measures were, and what they are after the attack.
    fn measures(&self) -> Aside {
        let mut headings = self.headings(&["Method"]);
        headings.extend(MEASURES.iter().map(ToString::to_string));
        let row = |row: &Row| {
            let mut texts = row.names().to_vec();
            texts.push(row.label.clone());
            texts.extend(MEASURES.iter().map(|measure| {
                let (change, now) = (row.value(measure.column), row.value(measure.name));
                match change.zip(now) {
                    Some((change, now)) => format!("{:.3} → {now:.3}", change + now),
                    None => "–".to_owned(),
                }
            }));
            texts
        };
        let rows = self.rows.iter().filter(|row| row.n > 0).map(row).collect();
        let notes = vec![
            "Means over the samples, clean → attacked; l counts the specified labels in the top-k."
                .to_owned(),
        ];
        Aside { title: "Measures before and after".to_owned(), headings, words: 3, rows, notes }
    }

    /// Where each row stands among those that it may be compared with.
    fn ranks(&self) -> Aside {
        let headings = self.headings(&[
            "Rank",
            "Method",
            "success",
            "mean norm",
            "more successes: it / the first",
            "p",
            "smaller norm: it / the first",
            "p",
        ]);
        let row = |row: &Row| {
            let Rank { place, of, versus, .. } = row.rank.as_ref()?;
            let mut texts = row.names().to_vec();
            texts.extend([format!("{place} of {of}"), row.label.clone()]);
            texts.extend([row.value("success"), row.mean_norm()].map(|value| number(value, 3)));
            for test in versus {
                texts.extend(match test {
                    Some(SignTest { own, other, p }) => {
                        [format!("{own} / {other}"), format!("{p:.2e}")]
                    }
                    None => ["–", "–"].map(str::to_owned),
                });
            }
            Some(texts)
        };
        Aside {
            title: "Ranks, and tests against the first".to_owned(),
            headings,
            words: 4,
            rows: self.rows.iter().filter_map(row).collect(),
            notes: vec![
                "Among the rows of a setting with the same view, norm and criterion: by success rate, of equal ones by mean norm.".to_owned(),
                "Two exact sign tests over images, against the first row of these: on which images one has more successes, and where both succeed which has the smaller norm. p is two-sided, and Holm's for all rows that are tested against the same first one.".to_owned(),
            ],
        }
    }

    /// The rows with a rival, beside it.
    fn versus(&self) -> Aside {
        // What rivals are chosen by comes first.
        let mut columns = self.columns(Form::Versus);
        columns.sort_by_key(|column| column.name != "success");
        let words = ["ours", "the best other", "both succeed", "norm ratio"];
        let mut headings = self.headings(&words);
        headings.extend(columns.iter().map(|column| column.heading(Form::Versus)));
        let row = |row: &Row| {
            let Rival { row: rival, both, norm_ratio, differences, .. } = row.rival.as_ref()?;
            let rival = &self.rows[*rival];
            let mut texts = row.names().to_vec();
            texts.extend([row.label.clone(), rival.label.clone(), both.to_string()]);
            texts.push(norm_ratio.text(3, false));
            texts.extend(columns.iter().map(|column| {
                let digits = column.digits(Form::Versus);
                let [own, other] = [row, rival].map(|row| number(row.value(column.name), digits));
                let difference = differences.iter().find(|(name, _)| *name == column.name);
                let difference = difference.map(|(_, cell)| cell.text(digits, false));
                format!("{own} / {other} ({})", difference.unwrap_or_default())
            }));
            Some(texts)
        };
        Aside {
            title: "The minimum-norm form beside the best other attack".to_owned(),
            headings,
            words: 4,
            rows: self.rows.iter().filter_map(row).collect(),
            notes: vec![
                "Of the other rows of a setting with the same view, norm and criterion the best is the one with the highest success rate, of these the one with the lowest mean norm.".to_owned(),
                "The norm ratio is that of mean norms over the samples with the same S on which both succeeded; the other columns are ours / the other's (ours less the other's). [ ] are paired: over the same samples.".to_owned(),
                "Passes are forward and backward ones together.".to_owned(),
            ],
        }
    }

    /// Signs that attacks failed for reasons of their own, and what they mean for a result.
    fn signs(&self) -> Aside {
        let seen: BTreeSet<Indicator> =
            self.rows.iter().flat_map(|row| row.indicators.keys().copied()).collect();
        let mut headings = self.headings(&["Method", "failures"]);
        headings.extend(seen.iter().map(ToString::to_string));
        let shown = self.rows.iter().filter(|row| !row.indicators.is_empty());
        let texts = |row: &Row| {
            let mut texts = row.names().to_vec();
            texts.push(row.label.clone());
            texts.push(format!("{} of {}", row.failures(), row.samples));
            texts.extend(seen.iter().map(|indicator| {
                row.indicators.get(indicator).map_or(0, |[all, _]| *all).to_string()
            }));
            texts
        };
        let meaning = |indicator: &Indicator| format!("{indicator}: {}", indicator.sentence());
        let notes = seen.iter().map(meaning).collect();
        Aside {
            title: "Signs that attacks failed for reasons of their own".to_owned(),
            headings,
            words: 3,
            rows: shown.map(texts).collect(),
            notes,
        }
    }

    /// Of each attack that makes the network look robust, and failed for reasons of its own.
    pub(super) fn warnings(&self) -> Vec<String> {
        let [one, other] = name_headings(self.table.scheme);
        let warning = |row: &Row| {
            let success = row.value("success").filter(|success| *success < LOOKS_ROBUST)?;
            let signs = row.indicators.iter().filter(|(_, [_, failures])| *failures > 0);
            let signs: Vec<String> =
                signs.map(|(indicator, [_, count])| format!("{indicator} on {count}")).collect();
            let ([first, second], failures) = (row.names(), row.failures());
            (!signs.is_empty()).then(|| {
                format!(
                    "Warning: {} at {one} = {first}, {other} = {second} succeeds on {success:.3} of the samples only, and that is no sign of a robust network: of its {failures} failures there is {}.",
                    row.label,
                    signs.join(", ")
                )
            })
        };
        self.rows.iter().filter_map(warning).collect()
    }

    /// How often each class left the top-k, by method, over all settings.
    fn by_class(&self, names: &[String]) -> Aside {
        let mut classes: BTreeMap<usize, BTreeMap<&str, [usize; 2]>> = BTreeMap::new();
        for row in &self.rows {
            for found in &row.classes {
                let by_method = classes.entry(found.class).or_default();
                let [samples, left] = by_method.entry(&row.label).or_default();
                *samples += found.samples;
                *left += found.left;
            }
        }
        let labels: Vec<String> = self.by_label(None).into_iter().map(|(label, _)| label).collect();
        let row = |(class, by_method): (&usize, &BTreeMap<&str, [usize; 2]>)| {
            let of_method = |label: &String| match by_method.get(label.as_str()) {
                Some([samples, left]) => {
                    format!("{:.3} ({left} of {samples})", *left as f64 / *samples as f64)
                }
                None => "–".to_owned(),
            };
            [names[*class].clone()].into_iter().chain(labels.iter().map(of_method)).collect()
        };
        Aside {
            title: "Success by class: how often a specified class that was in the top-k left it"
                .to_owned(),
            headings: [vec!["Class".to_owned()], labels.clone()].concat(),
            words: 1,
            rows: classes.iter().map(row).collect(),
            notes: Vec::new(),
        }
    }

    fn headings(&self, more: &[&str]) -> Vec<String> {
        let names = name_headings(self.table.scheme);
        names.iter().chain(more).map(|&name| name.to_owned()).collect()
    }
}
