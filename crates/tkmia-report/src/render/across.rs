//! [`Across`] as a page, as Markdown and as CSV.

use tkmia_attacks::Norm;
use tkmia_figure::escaped as in_html;

use super::asides::Aside;
use super::capitalised;
use super::csv::{number, written};
use super::html::{list, page};
use super::markdown::escaped;
use crate::row::name_headings;
use crate::{Across, Column, Form, Report, ReportTable, Row, columns};

/// The columns that victims are compared by, in their order; norms, measures and costs are as good as the success rate
/// lets them be.
const COMPARED: [&str; 9] = [
    "success",
    "local_optimality",
    "aper_input",
    "aper_linf",
    "d_p_at_k",
    "d_map_at_k",
    "d_ndcg_at_k",
    "kept_rounded",
    "passes",
];

impl Across {
    /// The reports side by side, as a page that needs nothing else.
    pub(crate) fn html(&self) -> String {
        let mut body = String::from("<ol>\n");
        for (name, report) in &self.victims {
            body += &format!(
                "<li><a href=\"../{0}/report/index.html\">{0}</a>: {1}</li>\n",
                in_html(name),
                in_html(&report.preamble(str::to_owned).join(" "))
            );
        }
        body += "</ol>\n<p class=\"files\"><a href=\"report.md\">all tables as Markdown</a> <a href=\"victims.csv\">as CSV</a></p>\n";
        body += &list("Not attacked yet", &self.missing);
        for (number, table) in self.tables() {
            body += &format!(
                "<section id=\"{}\">\n<h2>{}</h2>\n",
                table.name(number),
                in_html(&capitalised(&table.heading()))
            );
            for (at, aside) in self.asides(number, table).iter().enumerate() {
                body += &aside.html(if at < 2 { "details open" } else { "details" });
            }
            for norm in table.norms() {
                body += &self.curves(number, norm);
            }
            body += "</section>\n";
        }
        page(&self.title, &body)
    }

    /// Success by a norm, victim by victim.
    fn curves(&self, number: usize, norm: Norm) -> String {
        let mut heading = None;
        let mut charts = String::new();
        for (name, report) in &self.victims {
            let curves = table_of(report, number).map(|table| table.curves_by(norm));
            let Some((title, curve)) = curves.into_iter().flatten().next() else { continue };
            heading = Some(title);
            charts += &format!(
                "<figure class=\"curve\"><div class=\"plot\">{}</div><figcaption>{}</figcaption></figure>\n",
                curve.svg(),
                in_html(name)
            );
        }
        heading.map_or(String::new(), |title| {
            format!("<details open><summary>{title}</summary>\n<div class=\"methods\">\n{charts}</div></details>\n")
        })
    }

    /// The same tables as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("# {}\n\n", escaped(&self.title));
        for (name, report) in &self.victims {
            text += &format!("- {}: {}\n", escaped(name), report.preamble(escaped).join(" "));
        }
        for name in &self.missing {
            text += &format!("- {}: not attacked yet\n", escaped(name));
        }
        for (number, table) in self.tables() {
            text += &format!("\n## {}\n", capitalised(&table.heading()));
            for aside in self.asides(number, table) {
                text += &aside.markdown();
            }
        }
        text
    }

    /// A line for each number of the tables.
    pub fn csv(&self) -> String {
        let names = ["victim", "setting", "run", "n", "column", "value", "low", "high"];
        let mut lines = vec![names.map(str::to_owned).to_vec()];
        for (name, report) in &self.victims {
            for row in report.tables.iter().flat_map(|table| &table.rows) {
                for column in compared() {
                    let Some(cell) = row.cell(column.name) else { continue };
                    let head = [name.clone(), row.setting.to_string(), row.run.to_string()];
                    let [low, high] = cell.interval.map_or([None; 2], |bounds| bounds.map(Some));
                    let mut line = head.to_vec();
                    line.extend([row.n.to_string(), column.name.to_owned()]);
                    line.extend([cell.value, low, high].map(number));
                    lines.push(line);
                }
            }
        }
        written(lines)
    }

    /// The tables, by the first victim's.
    fn tables(&self) -> impl Iterator<Item = (usize, &ReportTable)> {
        self.victims.iter().take(1).flat_map(|(_, report)| report.tables.iter().enumerate())
    }

    /// For each column the attacks of a table on all victims.
    fn asides(&self, number: usize, table: &ReportTable) -> Vec<Aside> {
        let shown = |column: &&Column| {
            let rows = self.victims.iter().filter_map(|(_, report)| table_of(report, number));
            let rows: Vec<&Row> = rows.flat_map(|table| &table.rows).collect();
            column.is_shown(Form::Html, &rows) || column.name == "local_optimality"
        };
        let aside = |column: &'static Column| {
            let mut headings = name_headings(table.table.scheme).map(str::to_owned).to_vec();
            headings.push("Method".to_owned());
            headings.extend(self.victims.iter().map(|(name, _)| name.clone()));
            let row = |row: &Row| {
                let mut texts = row.names().to_vec();
                texts.push(row.label.clone());
                texts.extend(self.victims.iter().map(|(_, report)| {
                    let same = |other: &&Row| other.setting == row.setting && other.run == row.run;
                    let table = table_of(report, number);
                    let found = table.and_then(|table| table.rows.iter().find(same));
                    let cell = found.and_then(|row| row.cell(column.name));
                    cell.map_or("–".to_owned(), |cell| {
                        cell.text(column.digits(Form::Html), false)
                    })
                }));
                texts
            };
            Aside {
                title: capitalised(&column.heading(Form::Markdown)),
                headings,
                words: 3,
                rows: table.rows.iter().map(row).collect(),
                notes: note(column).map(str::to_owned).into_iter().collect(),
            }
        };
        compared().filter(shown).map(aside).collect()
    }
}

fn compared() -> impl Iterator<Item = &'static Column> {
    COMPARED.into_iter().filter_map(|name| columns().iter().find(|column| column.name == name))
}

fn table_of(report: &Report, number: usize) -> Option<&ReportTable> {
    report.tables.get(number)
}

/// What a table's numbers mean.
fn note(column: &Column) -> Option<&'static str> {
    match column.name {
        "success" => Some(
            "The share of samples on which the attack succeeds, with Wilson's 95 % interval over images.",
        ),
        "local_optimality" => Some(
            "1 where no attack on that victim with the same view, norm and criterion, at any number of iterations, found a smaller norm on any sample; 0 where none is within the largest of the best (AttackBench).",
        ),
        "aper_input" | "aper_linf" => {
            Some("Means over successes: to be read beside the success rate.")
        }
        "passes" => Some("Forward and backward ones together."),
        _ => None,
    }
}
