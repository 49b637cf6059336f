//! [`columns`]: the one table of columns, which everything that shows results walks.

use std::sync::LazyLock;

use tkmia_attacks::{Variant, View};
use tkmia_experiment::Printed;
use tkmia_metrics::{Better, Formula, MEASURES, Measure, MetricsError, mean};

use crate::samples::Samples;
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
    /// The mean of these numbers, one of each sample that has one, with its interval.
    Mean(fn(&Samples<'_>) -> Vec<f64>),
    /// One number of all samples.
    Number(fn(&Samples<'_>) -> Result<Option<f64>, MetricsError>),
}

/// All columns in their order, those of the [`MEASURES`] first.
pub fn columns() -> &'static [Column] {
    static COLUMNS: LazyLock<Vec<Column>> =
        LazyLock::new(|| MEASURES.iter().map(Column::of_measure).chain(own()).collect());
    &COLUMNS
}

/// The columns that are no Δ of a measure.
fn own() -> Vec<Column> {
    use Form::{Csv, Html, Latex, Markdown, Summary, SummaryCsv, Versus};
    use Unit::{Count, Norm, Pixels, Seconds, Share};
    use Value::{Mean, Number};
    const NORMS: &[Form] = &[Csv, Markdown, Latex, Html, Summary, SummaryCsv];
    const RATES: &[Form] = &[Csv, Markdown, Html, Versus, Summary, SummaryCsv];
    const MORE: &[Form] = &[SummaryCsv];
    let column = Column::new;
    vec![
        column("aper_tanh", "APer", Norm("tanh space"), &NORMS[..4], Mean(|s| s.tanh_norms()))
            .needed(|row| row.run.view() == View::Tanh || row.printed.is_some()),
        column("aper_input", "APer", Norm("input"), NORMS, Mean(|s| s.successes(|r| r.norm_input))),
        column("aper_pixels", "APer", Pixels, NORMS, Mean(|s| s.successes(|r| r.norm_pixels))),
        column(
            "aper_own",
            "APer",
            Norm("own space"),
            &NORMS[4..],
            Mean(|s| s.successes(|r| r.norm)),
        )
        .needed(|row| row.value("aper_own") != row.value("aper_input")),
        column("norm_input_mean", "", Norm("input"), MORE, Mean(|s| s.all(|r| r.norm_input))),
        column("norm_input_q25", "", Norm("input"), MORE, Number(|s| s.norm_quantile(0.25))),
        column("norm_input_median", "", Norm("input"), MORE, Number(|s| s.norm_quantile(0.5))),
        column("norm_input_q75", "", Norm("input"), MORE, Number(|s| s.norm_quantile(0.75))),
        column("linf_input_mean", "", Norm("input"), MORE, Mean(|s| s.all(|r| r.linf_input))),
        column("success", "success", Share, RATES, Mean(|s| s.all(|r| f64::from(r.success))))
            .higher()
            .in_summary_as("success_rate"),
        column("kept_rounded", "kept in 8 bits", Share, RATES, Mean(|s| s.kept_rounded()))
            .in_summary_as("success_kept_rounded"),
        column("iterations", "iterations", Count, &[Csv, Markdown, Html, Summary, SummaryCsv], {
            Mean(|s| s.all(|r| r.iterations as f64))
        }),
        column("passes", "passes", Count, &[Csv, Html, Versus], {
            Mean(|s| s.all(|r| (r.passes.forward + r.passes.backward) as f64))
        }),
        column("forward", "", Count, MORE, Mean(|s| s.all(|r| r.passes.forward as f64))),
        column("backward", "", Count, MORE, Mean(|s| s.all(|r| r.passes.backward as f64))),
        column("local_optimality", "local optimality", Share, &[Csv, Markdown, Html], {
            Number(|s| Ok(s.best_known.optimality(s.records)))
        })
        .higher()
        .needed(|row| row.run.variant() == Variant::MinNorm),
        column("seconds", "s/image", Seconds, &NORMS[4..], Mean(|s| s.all(|r| r.seconds))),
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

    /// The column of a measure's Δ. One that no report shows is in the summary's CSV alone.
    fn of_measure(measure: &'static Measure) -> Self {
        use Form::{ByNorm, Csv, Html, Latex, Markdown, Summary, SummaryCsv, Versus};
        const EVERYWHERE: &[Form] =
            &[ByNorm, Versus, Csv, Markdown, Latex, Html, Summary, SummaryCsv];
        let shown = match measure.column {
            None => &EVERYWHERE[7..],
            // Within a norm and beside a rival the success rate says what Δl does, and ΔTkAcc is the
            // coarsest of the others.
            Some("d_tkacc" | "delta_l") => &EVERYWHERE[2..],
            Some(_) => EVERYWHERE,
        };
        let space = if measure.latex.starts_with('\\') { "" } else { " " };
        let (name, title) =
            (measure.column.unwrap_or(measure.name), format!("Δ{}", measure.symbol));
        let column = Self::new(name, &title, Unit::Share, shown, Value::Change(measure));
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

    /// Whether its cells have intervals.
    pub fn has_interval(&self) -> bool {
        let is_mean = match self.value {
            Value::Change(measure) => matches!(measure.formula, Formula::PerSample(_)),
            Value::Mean(_) => true,
            Value::Number(_) => false,
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

    /// Whether it is shown there over these rows.
    pub(crate) fn is_shown(&self, form: Form, rows: &[&Row]) -> bool {
        let whole = matches!(form, Form::Csv | Form::SummaryCsv | Form::ByNorm);
        self.shown.contains(&form) && (whole || rows.iter().any(|row| (self.needed)(row)))
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

    pub(crate) fn cell(
        &self,
        samples: &Samples<'_>,
        printed: Option<&Printed>,
    ) -> Result<Cell, MetricsError> {
        let printed = printed.and_then(|row| row.values.get(self.name).copied());
        let number = |value| Cell { value, interval: None, printed };
        Ok(match self.value {
            Value::Change(measure) if self.has_interval() => {
                Cell::new(&samples.changes_of(measure), printed)
            }
            Value::Change(measure) => {
                number(samples.mean_changes.and_then(|changes| changes.get(measure.name)))
            }
            Value::Mean(values) if self.has_interval() => Cell::new(&values(samples), printed),
            Value::Mean(values) => number(mean(values(samples))),
            Value::Number(value) => number(value(samples)?),
        })
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
    fn every_measure_with_a_column_is_in_every_table() {
        for measure in MEASURES.iter().filter(|measure| measure.column.is_some()) {
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
