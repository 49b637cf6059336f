//! [`columns`]: the one table of columns, which everything that shows results walks.

use std::sync::LazyLock;

use tkmia_attacks::{Variant, View};
use tkmia_experiment::Printed;
use tkmia_metrics::{
    Better, Formula, MEASURES, Measure, MetricsError, mean, norm_quantile, share_interval,
};

use tkmia_experiment::Controlled;

use crate::by_image::Images;
use crate::cell::deviation;
use crate::samples::{Measured, Samples};
use crate::{Cell, Row};

/// A column of results: what it is called, where it is shown, and how its cells are computed.
#[derive(Debug)]
pub struct Column {
    /// The name in CSV, by which the paper's printed values are looked up, too.
    pub name: &'static str,
    /// The name in [`Report::summary_csv`](crate::Report::summary_csv).
    pub summary_name: String,
    /// What its numbers are in.
    pub unit: Unit,
    /// Which numbers are the better ones for the attack.
    pub better: Option<Better>,
    /// The heading, without unit and direction.
    title: String,
    /// The same in LaTeX.
    latex: String,
    shown: &'static [Form],
    needed: fn(&Row) -> bool,
    value: Value,
}

/// What shows results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Tables as CSV.
    Csv,
    /// Tables as Markdown.
    Markdown,
    /// Tables as LaTeX.
    Latex,
    /// Tables of the page.
    Html,
    /// Rows beside their rivals.
    Versus,
    /// Means within a norm; of measures alone.
    ByNorm,
    /// [`Report::summary`](crate::Report::summary).
    Summary,
    /// [`Report::summary_csv`](crate::Report::summary_csv), which has the most.
    SummaryCsv,
}

/// What numbers are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Shares, or labels of a sample.
    Share,
    /// A norm in the space of this name.
    Norm(&'static str),
    /// A norm in 8-bit pixels.
    Pixels,
    /// Iterations or passes.
    Count,
    /// Seconds.
    Seconds,
}

/// How a cell is computed.
#[derive(Debug, Clone, Copy)]
enum Value {
    /// Δ of a measure, clean minus perturbed.
    Change(&'static Measure),
    /// A measure of the perturbed samples.
    Perturbed(&'static Measure),
    /// The mean of a number over all samples.
    All(fn(&Measured) -> f64),
    /// The mean of a number over successes.
    Successes(fn(&Measured) -> f64),
    /// The mean norm of successes in tanh space, of the forms that are there.
    TanhNorm,
    /// The share of samples of which this holds, of those that have it.
    Share(fn(&Measured) -> Option<bool>),
    /// The mean of a number of universal perturbations.
    Universal(fn(&Controlled) -> f64),
    /// A quantile of a number over all samples.
    Quantile(f64, fn(&Measured) -> f64),
    /// See [`optimality`](crate::optimality::optimality): known when all attacks are.
    Optimality,
}

/// All columns in their order, those of the [`MEASURES`] first.
pub fn columns() -> &'static [Column] {
    static COLUMNS: LazyLock<Vec<Column>> = LazyLock::new(|| {
        let measures = MEASURES.iter().map(Column::of_measure);
        measures.chain(own()).chain(MEASURES.iter().map(Column::perturbed)).collect()
    });
    &COLUMNS
}

/// The columns that are no Δ of a measure.
fn own() -> Vec<Column> {
    use Form::{Csv, Html, Latex, Markdown, Summary, SummaryCsv, Versus};
    use Unit::{Count, Norm, Pixels, Seconds};
    use Value::{All, Optimality, Quantile, Share, Successes, TanhNorm, Universal};
    const INPUT: Unit = Norm("input");
    const UNIT: Unit = Norm("of [0, 1]");
    const NORMS: &[Form] = &[Csv, Markdown, Latex, Html, Summary, SummaryCsv];
    const RATES: &[Form] = &[Csv, Markdown, Html, Versus, Summary, SummaryCsv];
    const COUNTS: &[Form] = &[Csv, Markdown, Html, Summary, SummaryCsv];
    const MORE: &[Form] = &[Csv, SummaryCsv];
    const FITS: &[Form] = &[Csv, Markdown, Html];
    let column = Column::new;
    vec![
        column("aper_tanh", "APer", Norm("tanh space"), &NORMS[..4], TanhNorm)
            .needed(|row| row.run.view() == View::Tanh || row.printed.is_some()),
        column("aper_input", "APer", INPUT, NORMS, Successes(|r| r.norm_input)),
        column("aper_pixels", "APer", Pixels, NORMS, Successes(|r| r.norm_pixels)),
        column("aper_unit", "", UNIT, MORE, Successes(|r| r.norm_pixels / 255.0)),
        column("aper_linf_pixels", "", Pixels, MORE, Successes(|r| r.linf_pixels)),
        column("aper_linf_unit", "", UNIT, MORE, Successes(|r| r.linf_pixels / 255.0)),
        column("aper_linf", "mean ‖ε‖∞", INPUT, NORMS, Successes(|r| r.linf_input))
            .needed(|row| row.run.norm() == tkmia_attacks::Norm::Linf),
        column("aper_own", "APer", Norm("own space"), &NORMS[4..], Successes(|r| r.norm))
            .needed(|row| row.value("aper_own") != row.value("aper_input")),
        column("norm_input_mean", "", INPUT, MORE, All(|r| r.norm_input)),
        column("norm_input_q25", "", INPUT, MORE, Quantile(0.25, |r| r.norm_input)),
        column("norm_input_median", "", INPUT, MORE, Quantile(0.5, |r| r.norm_input)),
        column("norm_input_q75", "", INPUT, MORE, Quantile(0.75, |r| r.norm_input)),
        column("linf_input_mean", "", INPUT, MORE, All(|r| r.linf_input)),
        column("linf_input_q25", "", INPUT, MORE, Quantile(0.25, |r| r.linf_input)),
        column("linf_input_median", "", INPUT, MORE, Quantile(0.5, |r| r.linf_input)),
        column("linf_input_q75", "", INPUT, MORE, Quantile(0.75, |r| r.linf_input)),
        column("success", "success", Unit::Share, RATES, Share(|r| Some(r.success)))
            .higher()
            .in_summary_as("success_rate"),
        column("fit_success", "where fitted", Unit::Share, FITS, Universal(|v| v.fit.success))
            .needed(|row| row.run.name().is_universal()),
        column("negated_success", "−v", Unit::Share, FITS, {
            Share(|r| Some(r.universal.as_ref()?.controls.negated))
        })
        .needed(|row| row.run.name().is_universal()),
        column("shuffled_success", "v shuffled", Unit::Share, FITS, {
            Universal(|v| v.controls.shuffled)
        })
        .needed(|row| row.run.name().is_universal()),
        column("kept_rounded", "kept in 8 bits", Unit::Share, RATES, {
            Share(|r| r.success.then_some(r.success_rounded))
        })
        .in_summary_as("success_kept_rounded"),
        column("iterations", "iterations", Count, COUNTS, All(|r| r.iterations as f64)),
        column("passes", "passes", Count, &RATES[..4], {
            All(|r| r.passes.forward as f64 + r.passes.backward as f64)
        }),
        column("forward", "", Count, MORE, All(|r| r.passes.forward as f64)),
        column("backward", "", Count, MORE, All(|r| r.passes.backward as f64)),
        column("local_optimality", "local optimality", Unit::Share, &RATES[..3], Optimality)
            .higher()
            .needed(|row| row.run.variant() == Variant::MinNorm),
        column("seconds", "s/image", Seconds, &NORMS[4..], All(|r| r.seconds)),
    ]
}

impl Column {
    fn new(
        name: &'static str,
        title: &str,
        unit: Unit,
        shown: &'static [Form],
        value: Value,
    ) -> Self {
        let is_norm = matches!(unit, Unit::Norm(_) | Unit::Pixels);
        let better = is_norm.then_some(Better::Lower);
        let (title, latex) = (title.to_owned(), title.to_owned());
        let summary_name = name.to_owned();
        Self { name, summary_name, unit, better, title, latex, shown, needed: |_| true, value }
    }

    fn higher(self) -> Self {
        Self { better: Some(Better::Higher), ..self }
    }

    fn in_summary_as(self, name: &str) -> Self {
        Self { summary_name: name.to_owned(), ..self }
    }

    fn needed(self, needed: fn(&Row) -> bool) -> Self {
        Self { needed, ..self }
    }

    /// The column of a measure's Δ. One that the paper's tables don't have is in CSV alone.
    fn of_measure(measure: &'static Measure) -> Self {
        use Form::{ByNorm, Csv, Html, Latex, Markdown, Summary, SummaryCsv, Versus};
        const EVERYWHERE: &[Form] =
            &[ByNorm, Versus, Markdown, Latex, Html, Summary, Csv, SummaryCsv];
        let shown = match measure.column {
            column if !Printed::has_column(column) => &EVERYWHERE[6..],
            // Within a norm and beside a rival the success rate says what Δl does, and ΔTkAcc is the
            // coarsest of the others.
            "d_tkacc" | "delta_l" => &EVERYWHERE[2..],
            _ => EVERYWHERE,
        };
        let space = if measure.latex.starts_with('\\') { "" } else { " " };
        let title = format!("Δ{}", measure.symbol);
        let column = Self::new(measure.column, &title, Unit::Share, shown, Value::Change(measure));
        Self {
            better: Some(measure.better),
            latex: format!("\\Delta{space}{}", measure.latex),
            summary_name: match measure.name {
                // By their symbols.
                "ap" => "delta_map".to_owned(),
                "specified_in_top_k" => "delta_l".to_owned(),
                name => format!("delta_{name}"),
            },
            ..column
        }
    }

    /// The column of a measure itself after the attack.
    fn perturbed(measure: &'static Measure) -> Self {
        Self::new(measure.name, "", Unit::Share, &[Form::Csv], Value::Perturbed(measure))
    }

    /// Whether its cells have intervals.
    pub fn has_interval(&self) -> bool {
        let is_mean = match self.value {
            Value::Change(measure) => matches!(measure.formula, Formula::PerSample(_)),
            Value::All(_)
            | Value::Successes(_)
            | Value::TanhNorm
            | Value::Universal(_)
            | Value::Share(_) => true,
            Value::Perturbed(_) | Value::Quantile(..) | Value::Optimality => false,
        };
        is_mean && self.shown.contains(&Form::Csv)
    }

    /// Whether the paper's tables have it.
    pub fn is_printed(&self) -> bool {
        Printed::has_column(self.name)
    }

    /// Its measure, if it is a Δ.
    pub fn measure(&self) -> Option<&'static Measure> {
        match self.value {
            Value::Change(measure) => Some(measure),
            _ => None,
        }
    }

    /// Whether it is shown there over rows that need it.
    pub(crate) fn is_of(&self, form: Form) -> bool {
        self.shown.contains(&form)
    }

    /// Whether it is shown there over these rows.
    pub(crate) fn is_shown(&self, form: Form, rows: &[&Row]) -> bool {
        let whole = matches!(form, Form::Csv | Form::SummaryCsv);
        self.is_of(form) && (whole || rows.iter().any(|row| (self.needed)(row)))
    }

    /// The heading in LaTeX for [`Form::Latex`], with an arrow for [`Form::Html`], plain elsewhere; with
    /// the unit of norms.
    pub(crate) fn heading(&self, form: Form) -> String {
        let (title, [lower, higher]) = match form {
            Form::Latex => (&self.latex, ["\\downarrow", "\\uparrow"]),
            Form::Html => (&self.title, [" ↓", " ↑"]),
            _ => (&self.title, [""; 2]),
        };
        let arrow = match self.better {
            Some(Better::Lower) => lower,
            Some(Better::Higher) => higher,
            None => "",
        };
        let heading = match (form, self.measure()) {
            (Form::Latex, Some(_)) => format!("${title}{arrow}$"),
            (Form::Latex, None) if !arrow.is_empty() => format!("{title}${arrow}$"),
            _ => format!("{title}{arrow}"),
        };
        match self.unit {
            Unit::Norm(space) => format!("{heading} ({space})"),
            Unit::Pixels => format!("{heading} (8-bit)"),
            _ => heading,
        }
    }

    /// Decimals of its numbers; none for counts beside a rival's.
    pub(crate) fn digits(&self, form: Form) -> usize {
        match self.unit {
            Unit::Count if form == Form::Versus => 0,
            Unit::Count | Unit::Pixels => 1,
            Unit::Share | Unit::Norm(_) | Unit::Seconds => 3,
        }
    }

    /// Its number of one sample under an attack with this view, if that has one.
    pub(crate) fn value_of(&self, sample: &Measured, view: View) -> Option<f64> {
        match self.value {
            Value::Change(measure) => sample.changes.get(measure.name),
            Value::All(value) => Some(value(sample)),
            Value::Successes(value) => sample.success.then(|| value(sample)),
            Value::TanhNorm => (view == View::Tanh && sample.success).then_some(sample.norm),
            Value::Share(value) => value(sample).map(f64::from),
            Value::Universal(value) => sample.universal.as_deref().map(value),
            Value::Perturbed(_) | Value::Quantile(..) | Value::Optimality => None,
        }
    }

    pub(crate) fn cell(
        &self,
        samples: &Samples,
        images: &Images,
        view: View,
        printed: Option<&Printed>,
    ) -> Result<Cell, MetricsError> {
        let printed = printed.and_then(|row| row.values.get(self.name).copied());
        let value_at = |at: usize| self.value_of(&samples.measured[at], view);
        // Of each draw.
        let means: Vec<f64> = match self.value {
            Value::Change(Measure { formula: Formula::OverSamples(_), name, .. }) => {
                samples.means().filter_map(|[clean, now]| (clean - now).get(name)).collect()
            }
            Value::Perturbed(Measure { name, .. }) => {
                samples.means().filter_map(|[_, now]| now.get(name)).collect()
            }
            _ => {
                let draws = images.draws(samples.measured.len()).into_iter();
                let mean = |draw: &[u32]| mean(draw.iter().filter_map(|&at| value_at(at as usize)));
                draws.filter_map(mean).collect()
            }
        };
        let values =
            || samples.drawn(images).filter_map(|(at, _)| Some((at, [value_at(at)?, 1.0])));
        let value = match self.value {
            Value::Quantile(share, number) => {
                let numbers: Vec<f64> =
                    samples.drawn(images).map(|(_, sample)| number(sample)).collect();
                norm_quantile(&numbers, share)?
            }
            Value::Perturbed(_)
            | Value::Change(Measure { formula: Formula::OverSamples(_), .. }) => {
                mean(means.iter().copied())
            }
            _ => mean(values().map(|(_, [value, _])| value)),
        };
        let interval = match self.value {
            _ if !self.has_interval() => None,
            Value::Share(_) => {
                let (successes, images) = images.sum(values()).means();
                share_interval(successes, images)
            }
            _ => images.sum(values()).interval(),
        };
        let spread = deviation(&means).filter(|_| self.shown.contains(&Form::Csv));
        Ok(Cell { value, interval, spread, printed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_name_direction_and_unit() {
        let heading = |name, form| {
            let column = columns().iter().find(|column| column.name == name).unwrap();
            column.heading(form)
        };
        assert_eq!(heading("d_map_at_k", Form::Markdown), "ΔmAP@k");
        assert_eq!(heading("delta_l", Form::Html), "Δl ↑");
        assert_eq!(heading("delta_l", Form::Latex), "$\\Delta l\\uparrow$");
        assert_eq!(heading("d_p_at_k", Form::Latex), "$\\Delta\\mathrm{P}@k\\downarrow$");
        assert_eq!(heading("aper_tanh", Form::Html), "APer ↓ (tanh space)");
        assert_eq!(heading("aper_pixels", Form::Latex), "APer$\\downarrow$ (8-bit)");
        assert_eq!(heading("kept_rounded", Form::Html), "kept in 8 bits");
    }

    #[test]
    fn every_measure_of_the_papers_tables_is_in_every_table() {
        for measure in MEASURES.iter().filter(|measure| Printed::has_column(measure.column)) {
            let column = columns().iter().find(|column| column.measure() == Some(measure)).unwrap();
            for form in [Form::Csv, Form::Markdown, Form::Latex, Form::Html, Form::Summary] {
                assert!(column.shown.contains(&form), "{}: {form:?}", column.name);
            }
        }
    }

    #[test]
    fn every_value_that_the_paper_prints_has_a_column() {
        let printed = columns().iter().filter(|column| column.is_printed());
        let names: Vec<&str> = printed.map(|column| column.name).collect();
        let changes = ["d_tkacc", "d_p_at_k", "d_map_at_k", "d_ndcg_at_k", "delta_l"];
        assert_eq!(names, [&changes[..], &["aper_tanh"]].concat());
    }
}
