//! Reports as one small table: a line for each attack on each setting that has records.

use super::csv::{number as exact, written};
use super::markdown::{escaped, grid, number};
use crate::{Column, Form, Report, Row, columns};

impl Report {
    /// The means of all tables, without intervals, as Markdown. What is the same in all rows is left out: the
    /// method, and APer in the attack's own space where that is the model's input.
    pub fn summary(&self) -> String {
        let (rows, columns) = self.summarised(Form::Summary);
        let one_method = rows.iter().all(|row| row.run == rows[0].run);
        let words = if one_method { 1 } else { 2 };
        let mut headings = ["setting", "method"].map(str::to_owned)[..words].to_vec();
        headings.push("n".to_owned());
        headings.extend(columns.iter().map(|column| column.heading(Form::Summary)));
        let texts = |row: &&Row| {
            let names = [row.setting.to_string(), row.run.to_string()].map(|name| escaped(&name));
            let mut texts = names[..words].to_vec();
            texts.push(row.n.to_string());
            let text =
                |column: &&Column| number(row.value(column.name), column.digits(Form::Summary));
            texts.extend(columns.iter().map(text));
            texts
        };
        format!("{}\n", grid(headings, rows.iter().map(texts).collect(), words))
    }

    /// The means of all tables as CSV, with more columns: other forms of measures, and norms over all samples.
    pub fn summary_csv(&self) -> String {
        let (rows, columns) = self.summarised(Form::SummaryCsv);
        let mut names = ["dataset", "types", "k", "method", "n"].map(str::to_owned).to_vec();
        names.extend(columns.iter().map(|column| column.summary_name.clone()));
        let texts = |row: &&Row| {
            let setting = &row.setting;
            let mut texts = vec![setting.dataset.clone(), setting.selection.to_string()];
            texts.extend([setting.k.to_string(), row.run.to_string(), row.n.to_string()]);
            texts.extend(columns.iter().map(|column| exact(row.value(column.name))));
            texts
        };
        written([names].into_iter().chain(rows.iter().map(texts)))
    }

    /// The rows that have records, and the columns that they have there.
    fn summarised(&self, form: Form) -> (Vec<&Row>, Vec<&'static Column>) {
        let rows = self.tables.iter().flat_map(|table| &table.rows).filter(|row| row.n > 0);
        let rows: Vec<&Row> = rows.collect();
        let columns = columns().iter().filter(|column| column.is_shown(form, &rows)).collect();
        (rows, columns)
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::{plan, records, report, report_of};

    #[test]
    fn a_summary_has_the_rows_that_have_records() {
        let summary = report().summary();
        let lines: Vec<&str> = summary.lines().collect();
        assert_eq!(lines.len(), 2 + 3, "{summary}");
        assert!(lines[0].contains("| method "), "{summary}");
        assert!(lines[2].contains("| random \\|S\\| = 2, k = 2, δ = 2 | tkml-ap-u (released), "));
        let mut empty = report();
        empty.tables.clear();
        assert_eq!(empty.summary().trim(), "");
    }

    #[test]
    fn what_all_rows_share_is_left_out() {
        let mut one = report();
        one.tables[0].rows.retain(|row| row.label == "TkMIA (corrected)");
        assert!(!one.summary().contains("method"));

        assert!(!report().summary().contains("own space"));
        let (plan, mut records) = (plan(), records(&plan()));
        records[0].norm *= 2.0;
        assert!(report_of(&plan, &records).unwrap().summary().contains("APer (own space)"));
    }

    #[test]
    fn its_csv_has_norms_over_all_samples_too() {
        let csv = report().summary_csv();
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let names = reader.headers().unwrap().clone();
        let first = reader.records().next().unwrap().unwrap();
        let value = |name| {
            let at = names.iter().position(|found| found == name);
            first[at.unwrap_or_else(|| panic!("{name}: {names:?}"))].to_owned()
        };
        // One success of norm 2, one failure of norm 8.
        for (name, expected) in [
            ("n", "2"),
            ("success_rate", "0.5"),
            ("aper_input", "2"),
            ("norm_input_mean", "5"),
            ("norm_input_q25", "3.5"),
            ("norm_input_median", "5"),
            ("linf_input_mean", "2.5"),
            ("delta_tkacc_released", "0.5"),
            ("delta_map", "0.375"),
            ("delta_l", "1"),
            ("forward", "4"),
            ("seconds", "0.5"),
        ] {
            assert_eq!(value(name), expected, "{name}");
        }
    }
}
