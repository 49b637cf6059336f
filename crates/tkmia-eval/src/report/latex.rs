//! Reports as LaTeX.

use super::cell::fixed;
use super::markdown::{legend, names};
use super::{Cell, ReportTable};
use crate::Printed;
use crate::experiment::Scheme;

/// Text that LaTeX shows as it is.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                out.push('\\');
                out.push(c);
            }
            '\\' => out.push_str("\\textbackslash{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '|' => out.push_str("\\textbar{}"),
            'Δ' => out.push_str("$\\Delta$"),
            'δ' => out.push_str("$\\delta$"),
            'η' => out.push_str("$\\eta$"),
            'α' => out.push_str("$\\alpha$"),
            '†' => out.push_str("$\\dagger$"),
            '–' => out.push_str("--"),
            _ => out.push(c),
        }
    }
    out
}

fn cell(cell: &Cell, digits: usize, suspect: bool) -> String {
    let Some(value) = cell.value else {
        return match cell.printed {
            None => "--".to_owned(),
            Some(printed) => format!("-- ({printed:.4}{})", dagger(suspect)),
        };
    };
    let mut text = format!("${}$", fixed(value, digits));
    if let Some([low, high]) = cell.interval {
        text += &format!(" {{\\scriptsize$[{}, {}]$}}", fixed(low, digits), fixed(high, digits));
    }
    if let Some(printed) = cell.printed {
        text += &format!(" ({printed:.4}{})", dagger(suspect));
    }
    text
}

fn dagger(suspect: bool) -> &'static str {
    if suspect { "$^\\dagger$" } else { "" }
}

impl ReportTable {
    /// The table as LaTeX, for `booktabs`.
    pub fn latex(&self) -> String {
        let tanh = self.shows_tanh();
        let norms = if tanh { 3 } else { 2 };
        let [one, other] = match self.table.scheme {
            Scheme::Global => ["Type", "$k$"],
            Scheme::Random => ["$k$", "$|\\mathcal{S}|$"],
        };
        let mut headings = vec![
            one,
            other,
            "Method",
            "$n$",
            "$\\Delta\\mathrm{T}_k\\mathrm{Acc}\\downarrow$",
            "$\\Delta\\mathrm{P}@k\\downarrow$",
            "$\\Delta\\mathrm{mAP}@k\\downarrow$",
            "$\\Delta\\mathrm{NDCG}@k\\downarrow$",
            "$\\Delta l\\uparrow$",
        ];
        if tanh {
            headings.push("APer$\\downarrow$ (tanh space)");
        }
        headings.extend(["APer$\\downarrow$ (input)", "APer$\\downarrow$ (8-bit)"]);
        let mut text = format!(
            "% {}\n\\begin{{tabular}}{{lll{}}}\n\\toprule\n{} \\\\\n\\midrule\n",
            self.heading(),
            "r".repeat(6 + norms),
            headings.join(" & ")
        );
        for row in &self.rows {
            let suspect = row.printed.and_then(Printed::suspect).is_some();
            let mut cells: Vec<String> =
                names(self.table.scheme, row).iter().map(|name| escaped(name)).collect();
            cells.push(escaped(&row.label));
            cells.push(row.n.to_string());
            cells.extend(row.changes.iter().map(|change| cell(change, 3, suspect)));
            if tanh {
                cells.push(cell(&row.aper_tanh, 3, suspect));
            }
            cells.push(cell(&row.aper_input, 3, false));
            cells.push(cell(&row.aper_pixels, 1, false));
            text += &format!("{} \\\\\n", cells.join(" & "));
        }
        text += "\\bottomrule\n\\end{tabular}\n";
        for line in legend(self) {
            text += &format!("\n{}\\\\", escaped(&line));
        }
        text + "\n"
    }
}
