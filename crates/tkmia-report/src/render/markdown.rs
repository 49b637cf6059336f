//! Reports as Markdown.

use comfy_table::{CellAlignment, Table as Grid, presets};

use super::asides::Aside;
use super::{CHOSEN, RATIOS, capitalised};
use crate::cell::fixed;
use crate::row::name_headings;
use crate::{Form, Report, ReportTable};

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
            texts.extend([escaped(&row.label), row.count()]);
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
            for aside in table.asides(&self.inputs.data.classes) {
                text += &aside.markdown();
            }
            text += &list("Hyper-parameters:", table.runs());
            text += &list(CHOSEN, self.chosen(number));
        }
        text + &list(&format!("## {RATIOS}"), self.mean_norm_ratios())
    }
}

impl Aside {
    pub(super) fn markdown(&self) -> String {
        let escape = |texts: &Vec<String>| texts.iter().map(|text| escaped(text)).collect();
        let grid = grid(escape(&self.headings), self.rows.iter().map(escape).collect(), self.words);
        let notes: Vec<String> = self.notes.iter().map(|note| escaped(note)).collect();
        let notes =
            if notes.is_empty() { String::new() } else { format!("\n{}\n", notes.join("\n")) };
        format!("\n### {}\n\n{grid}\n{notes}", self.title)
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
