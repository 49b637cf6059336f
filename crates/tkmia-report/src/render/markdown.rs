//! Reports as Markdown.

use comfy_table::{CellAlignment, Table as Grid, presets};

use super::capitalised;
use crate::cell::fixed;
use crate::row::name_headings;
use crate::{Form, Report, ReportTable, Rival};

/// Text that Markdown shows as it is, within a table's cell and elsewhere.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '<' | '[' | ']' | '|' | '~' | '&' | '#' | '$' => {
                out.push('\\');
                out.push(c);
            }
            // It would end the line.
            '\n' | '\r' => out.push(' '),
            _ => out.push(c),
        }
    }
    out
}

/// A table of rows of texts under their headings; the first columns are words, the others numbers.
pub(super) fn grid(headings: Vec<String>, rows: Vec<Vec<String>>, words: usize) -> Grid {
    let mut grid = Grid::new();
    grid.load_style(presets::ASCII_MARKDOWN);
    if !rows.is_empty() {
        grid.set_header(headings).add_rows(rows);
    }
    for column in grid.column_iter_mut().skip(words) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    grid
}

fn list(heading: &str, lines: Vec<String>) -> String {
    let items = lines.iter().map(|line| format!("- {}\n", escaped(line)));
    if lines.is_empty() {
        String::new()
    } else {
        format!("\n{heading}\n\n{}", items.collect::<String>())
    }
}

impl ReportTable {
    /// The table as Markdown, with its legend.
    pub fn markdown(&self) -> String {
        let mut headings = self.names();
        headings.extend(["Method".to_owned(), "n".to_owned()]);
        headings.extend(
            self.columns(Form::Markdown).iter().map(|column| column.heading(Form::Markdown)),
        );
        let rows = self.rows.iter().map(|row| {
            let suspect = row.suspect().is_some();
            let mut texts = row.names().map(|name| escaped(&name)).to_vec();
            texts.extend([escaped(&row.label), row.samples()]);
            let cells = self.cells(row, Form::Markdown).into_iter();
            texts.extend(
                cells.map(|(column, cell)| cell.text(column.digits(Form::Markdown), suspect)),
            );
            texts
        });
        format!("{}\n\n{}\n", grid(headings, rows.collect(), 3), self.legend(escaped).join("\n"))
    }

    fn names(&self) -> Vec<String> {
        name_headings(self.table.scheme).map(escaped).to_vec()
    }

    /// The rows with a rival beside it as Markdown; nothing where there are none.
    fn versus(&self) -> Option<String> {
        // What rivals are chosen by comes first.
        let mut columns = self.columns(Form::Versus);
        columns.sort_by_key(|column| column.name != "success");
        let mut headings = self.names();
        headings
            .extend(["ours", "the best other", "both succeed", "norm ratio"].map(str::to_owned));
        headings.extend(columns.iter().map(|column| column.heading(Form::Versus)));
        let mut rows = Vec::new();
        for row in &self.rows {
            let Some(Rival { row: rival, both, norm_ratio }) = &row.rival else { continue };
            let rival = &self.rows[*rival];
            let mut texts = row.names().map(|name| escaped(&name)).to_vec();
            texts.extend([escaped(&row.label), escaped(&rival.label), both.to_string()]);
            texts.push(number(*norm_ratio, 3));
            texts.extend(columns.iter().map(|column| {
                let [own, other] = [row, rival]
                    .map(|row| number(row.value(column.name), column.digits(Form::Versus)));
                format!("{own} / {other}")
            }));
            rows.push(texts);
        }
        (!rows.is_empty()).then(|| {
            format!(
                "{}\n\nOf the other rows of a setting the best is the one with the highest success rate, of these the one with the lowest mean norm. \
                 The norm ratio is that of mean norms over the samples with the same S on which both succeeded; the other columns are ours / the other's. \
                 Passes are forward and backward ones together.\n",
                grid(headings, rows, 4)
            )
        })
    }
}

/// A number, or `–` for none.
pub(super) fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or("–".to_owned(), |value| fixed(value, digits))
}

impl Report {
    /// The whole report as Markdown.
    pub fn markdown(&self) -> String {
        let preamble = self.preamble(escaped).join("\n");
        let mut text = format!("# {}\n\n{preamble}\n", escaped(&self.title));
        for (number, table) in self.tables.iter().enumerate() {
            text += &format!("\n## {}\n\n{}", capitalised(&table.heading()), table.markdown());
            if let Some(versus) = table.versus() {
                text +=
                    &format!("\nThe minimum-norm form beside the best other attack:\n\n{versus}");
            }
            text += &list("Hyper-parameters:", table.runs());
            text += &list(
                "Chosen on the tuning samples, by the highest success rate and then the lowest mean norm:",
                self.chosen(number),
            );
        }
        text + &list("## Mean norm ratio to the best other attack", self.mean_norm_ratios())
    }

    /// The norm ratio of each attack that has rivals, averaged over all settings of all tables.
    fn mean_norm_ratios(&self) -> Vec<String> {
        let mut ratios: Vec<(&str, Vec<f64>)> = Vec::new();
        for row in self.tables.iter().flat_map(|table| &table.rows) {
            let Some(ratio) = row.rival.as_ref().and_then(|rival| rival.norm_ratio) else {
                continue;
            };
            match ratios.iter_mut().find(|(label, _)| *label == row.label) {
                Some((_, ratios)) => ratios.push(ratio),
                None => ratios.push((&row.label, vec![ratio])),
            }
        }
        let line = |(label, ratios): (&str, Vec<f64>)| {
            let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
            format!("{label}: {mean:.3} over {} settings", ratios.len())
        };
        ratios.into_iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_to_markdown_is_shown_as_it_is() {
        assert_eq!(escaped("*<b>cat*|a_b\n"), "\\*\\<b>cat\\*\\|a\\_b ");
        assert_eq!(escaped("tkmia (min-norm), η = 0.1"), "tkmia (min-norm), η = 0.1");
    }
}
