//! Reports as LaTeX.

use tkmia_experiment::Scheme;

use crate::cell::fixed;
use crate::{Cell, Form, ReportTable};

/// Text that LaTeX shows as it is, at the beginning of a row too: there, after `\\`, a `[` or `*` would be
/// an argument.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for (at, c) in text.char_indices() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                out.push('\\');
                out.push(c);
            }
            '[' | '*' if at == 0 => {
                out.push('{');
                out.push(c);
                out.push('}');
            }
            '\\' => out.push_str("\\textbackslash{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '|' => out.push_str("\\textbar{}"),
            '<' => out.push_str("\\textless{}"),
            '>' => out.push_str("\\textgreater{}"),
            'Δ' => out.push_str("$\\Delta$"),
            'δ' => out.push_str("$\\delta$"),
            'η' => out.push_str("$\\eta$"),
            'α' => out.push_str("$\\alpha$"),
            '†' => out.push_str("$\\dagger$"),
            '±' => out.push_str("$\\pm$"),
            '∞' => out.push_str("$\\infty$"),
            '‖' => out.push_str("$\\|$"),
            'ε' => out.push_str("$\\varepsilon$"),
            '–' => out.push_str("--"),
            // An empty line would end the paragraph.
            '\n' | '\r' => out.push(' '),
            _ => out.push(c),
        }
    }
    out
}

fn cell(cell: &Cell, digits: usize, suspect: bool) -> String {
    let mut text =
        cell.value.map_or("--".to_owned(), |value| format!("${}$", fixed(value, digits)));
    if let Some(certainty) = cell.certainty(digits) {
        text += &format!(" {{\\scriptsize${}$}}", certainty.replace('±', "\\pm"));
    }
    if let Some(printed) = cell.printed {
        let dagger = if suspect { "$^\\dagger$" } else { "" };
        text += &format!(" ({printed:.4}{dagger})");
    }
    text
}

impl ReportTable {
    /// The table as LaTeX, for `booktabs`.
    pub fn latex(&self) -> String {
        let [one, other] = match self.table.scheme {
            Scheme::Global => ["Type", "$k$"],
            Scheme::Random => ["$k$", "$|\\mathcal{S}|$"],
        };
        let columns = self.columns(Form::Latex);
        let mut headings =
            vec![one.to_owned(), other.to_owned(), "Method".to_owned(), "$n$".to_owned()];
        headings.extend(columns.iter().map(|column| column.heading(Form::Latex)));
        let mut text = format!(
            "% {}\n\\begin{{tabular}}{{lll{}}}\n\\toprule\n{} \\\\\n\\midrule\n",
            self.heading(),
            "r".repeat(1 + columns.len()),
            headings.join(" & ")
        );
        for row in &self.rows {
            let suspect = row.suspect().is_some();
            let mut cells: Vec<String> = row.names().iter().map(|name| escaped(name)).collect();
            cells.extend([escaped(&row.label), row.n.to_string()]);
            let numbers = self.cells(row, Form::Latex).into_iter();
            cells.extend(
                numbers.map(|(column, number)| cell(number, column.digits(Form::Latex), suspect)),
            );
            text += &format!("{} \\\\\n", cells.join(" & "));
        }
        text += "\\bottomrule\n\\end{tabular}\n";
        for line in self.legend(str::to_owned) {
            text += &format!("\n{}\\\\", escaped(&line));
        }
        text + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_to_latex_is_shown_as_it_is() {
        assert_eq!(escaped("[x] 50_% *"), "{[}x] 50\\_\\% *");
        assert_eq!(escaped("*<a>\n"), "{*}\\textless{}a\\textgreater{} ");
    }
}
