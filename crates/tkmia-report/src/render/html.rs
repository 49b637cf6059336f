//! Reports as one page that needs nothing else: no network, no other file.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::RgbImage;
use tkmia_attacks::Norm;
use tkmia_experiment::Inputs;
use tkmia_figure::{Chart, Role, chart_style, escaped};
use tkmia_metrics::Ranking;

use super::asides::Aside;
use super::{CHOSEN, RATIOS, capitalised};
use crate::cell::fixed;
use crate::pictures::{png, role, shown};
use crate::row::name_headings;
use crate::{Cell, Form, Picture, Pictured, Record, Report, ReportError, ReportTable, Row};

/// What the page may load: nothing. Its images lie in it.
const POLICY: &str =
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// A page with this heading.
pub(super) fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{STYLE}{CHARTS}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{body}\
         <script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        title = escaped(title),
        STYLE = include_str!("page.css"),
        CHARTS = chart_style(),
        SCRIPT = include_str!("page.js"),
    )
}

impl Report {
    /// The report as a page; `pictured` samples at most have their images in it, see [`shown`].
    pub(crate) fn html(
        &self,
        pictures: &[Picture],
        pictured: usize,
    ) -> Result<String, ReportError> {
        let mut body = String::new();
        for line in self.preamble(str::to_owned) {
            let _ = writeln!(body, "<p>{}</p>", escaped(&line));
        }
        body += &list("What it takes to repeat it", &self.provenance());
        body += &self.contents(!pictures.is_empty() && pictured > 0);
        for (number, table) in self.tables.iter().enumerate() {
            let (id, heading) = (table.name(number), capitalised(&table.heading()));
            let _ = writeln!(body, "<section id=\"{id}\">\n<h2>{}</h2>", escaped(&heading));
            body += &table.html();
            body += &files(&table.name(number));
            body += &list("Hyper-parameters", &table.runs());
            body += &list(CHOSEN, &self.chosen(number));
            for (norm, trade_off) in table.trade_offs() {
                let heading = match norm {
                    Norm::L2 => "Norm against the change of mAP@k",
                    Norm::Linf => "L∞ norm against the change of mAP@k",
                };
                body += &chart("details open", heading, &trade_off);
            }
            for (at, (title, curves)) in table.curves().iter().enumerate() {
                body += &chart(if at == 0 { "details open" } else { "details" }, title, curves);
            }
            for aside in table.asides(&self.inputs.data.classes) {
                body += &aside.html("details");
            }
            body += "</section>\n";
        }
        body += &list(RATIOS, &self.mean_norm_ratios());
        body += &self.pictures(pictures, pictured)?;
        Ok(page(&self.title, &body))
    }

    fn provenance(&self) -> Vec<String> {
        let Inputs { victim, data, seed, input, .. } = &self.inputs;
        vec![
            format!("Victim, by the SHA-256 of its files: {}", victim.sha256),
            format!("Images and labels, by the SHA-256 of their list: {}", data.sha256),
            format!(
                "Images are seen at {0} × {0}, in [{1}, {2}]",
                input.side, input.low, input.high
            ),
            format!("Seed: {seed}"),
            format!("Drawn by tkmia {}", env!("CARGO_PKG_VERSION")),
        ]
    }

    /// Links to the page's parts, where there are several.
    fn contents(&self, pictures: bool) -> String {
        let tables = self.tables.iter().enumerate();
        let mut links: Vec<String> = tables
            .map(|(number, table)| {
                let heading = escaped(&capitalised(&table.heading()));
                format!("<li><a href=\"#{}\">{heading}</a></li>\n", table.name(number))
            })
            .collect();
        if pictures {
            links.push("<li><a href=\"#images\">Attacked images</a></li>\n".to_owned());
        }
        match links.len() {
            0 | 1 => String::new(),
            _ => format!("<nav><ul>\n{}</ul></nav>\n", links.concat()),
        }
    }

    fn pictures(&self, pictures: &[Picture], pictured: usize) -> Result<String, ReportError> {
        if pictures.is_empty() || pictured == 0 {
            return Ok(String::new());
        }
        let mut html = String::from(
            "<section id=\"images\">\n<h2>Attacked images</h2>\n<p>The slider uncovers the perturbed image over the original; \
             beside it the perturbation, a hundred times as strong. Labels: \
             <span class=\"specified\">specified</span> <span class=\"relevant\">other relevant</span> \
             <span class=\"irrelevant\">irrelevant ×</span></p>\n",
        );
        for picture in shown(pictures, pictured) {
            let _ = writeln!(
                html,
                "<h3>{}: {}</h3>\n<div class=\"methods\">",
                escaped(picture.id()),
                escaped(&picture.setting.to_string())
            );
            for row in picture.rows()? {
                html += &self.pictured(&row)?;
            }
            html += "</div>\n";
        }
        Ok(html + "</section>\n")
    }

    fn pictured(&self, row: &Pictured) -> Result<String, ReportError> {
        let Record { success, norm_input, iterations, .. } = row.record;
        Ok(format!(
            "<figure>\n<figcaption>{label}: {outcome}, ‖ε‖₂ = {norm_input:.3} (input), {iterations} iterations</figcaption>\n\
             <div class=\"pair\"><img alt=\"original\" src=\"{original}\"><img alt=\"perturbed\" class=\"over\" src=\"{perturbed}\"></div>\
             <img alt=\"perturbation, a hundred times\" src=\"{perturbation}\">\n\
             <div class=\"slider\">original <input type=\"range\" min=\"0\" max=\"100\" value=\"50\" aria-label=\"original to perturbed\"> perturbed</div>\n\
             <div class=\"lists\"><div>before{before}</div><div>after{after}</div></div>\n</figure>\n",
            label = escaped(&row.title),
            outcome = if success { "success" } else { "failure" },
            original = data_uri(&row.original)?,
            perturbed = data_uri(&row.perturbed)?,
            perturbation = data_uri(&row.magnified()?)?,
            before = self.top(&row.record, &row.record.clean_scores),
            after = self.top(&row.record, &row.record.scores),
        ))
    }

    fn top(&self, record: &Record, scores: &[f32]) -> String {
        let ranking = Ranking::new(scores).ok();
        let top = ranking.as_ref().and_then(|ranking| ranking.top(record.setting.k).ok());
        let mut html = String::from("<ol>");
        for &label in top.unwrap_or_default() {
            let (class, mark) = match role(record, label) {
                Role::Specified => ("specified", ""),
                Role::Relevant => ("relevant", ""),
                Role::Irrelevant => ("irrelevant", " ×"),
            };
            let name = self.inputs.data.classes.get(label).map_or("?", String::as_str);
            let (name, score) = (escaped(name), scores[label]);
            let _ = write!(
                html,
                "<li><span class=\"{class}\">{name}{mark}</span> <small>{score:.2}</small></li>"
            );
        }
        html + "</ol>"
    }
}

impl ReportTable {
    fn html(&self) -> String {
        let mut html = String::from(
            "<label class=\"filter\">Rows with all of these words: <input type=\"search\"></label>\n\
             <div class=\"scroll\" tabindex=\"0\"><table class=\"sortable results\"><thead><tr>",
        );
        let words = name_headings(self.table.scheme).into_iter().chain(["Method", "n"]);
        let columns = self.columns(Form::Html).into_iter().map(|column| column.heading(Form::Html));
        for heading in words.map(str::to_owned).chain(columns) {
            // Lines break between a name and its unit only.
            let heading =
                heading.replace(" ↓", "\u{a0}↓").replace(" ↑", "\u{a0}↑").replace('-', "\u{2011}");
            let _ = write!(html, "<th>{heading}</th>");
        }
        html += "</tr></thead><tbody>\n";
        for row in &self.rows {
            html += &self.row(row);
        }
        html += "</tbody></table></div>\n";
        for line in self.legend(str::to_owned) {
            let _ = writeln!(html, "<p class=\"legend\">{}</p>", escaped(&line));
        }
        html
    }

    fn row(&self, row: &Row) -> String {
        let mut html = String::from("<tr>");
        for name in row.names() {
            let _ = write!(html, "<td>{}</td>", escaped(&name));
        }
        let _ = write!(
            html,
            "<td title=\"{}\">{}</td><td data-value=\"{}\">{}</td>",
            escaped(&row.run.to_string()),
            escaped(&row.label),
            row.n,
            escaped(&row.count())
        );
        for (column, cell) in self.cells(row, Form::Html) {
            html += &table_cell(cell, column.digits(Form::Html), row.suspect());
        }
        html + "</tr>\n"
    }
}

impl Aside {
    pub(super) fn html(&self, tag: &str) -> String {
        let cells = |tag: &str, texts: &[String]| {
            texts.iter().map(|text| format!("<{tag}>{}</{tag}>", escaped(text))).collect::<String>()
        };
        let rows = self.rows.iter().map(|row| format!("<tr>{}</tr>\n", cells("td", row)));
        let notes =
            self.notes.iter().map(|note| format!("<p class=\"legend\">{}</p>\n", escaped(note)));
        format!(
            "<{tag}><summary>{}</summary>\n<div class=\"scroll\" tabindex=\"0\"><table class=\"sortable\"><thead><tr>{}</tr></thead><tbody>\n{}</tbody></table></div>\n{}</details>\n",
            escaped(&self.title),
            cells("th", &self.headings),
            rows.collect::<String>(),
            notes.collect::<String>()
        )
    }
}

fn chart(tag: &str, summary: &str, chart: &Chart) -> String {
    format!(
        "<{tag}><summary>{summary}</summary>\n<div class=\"plot\">{}</div></details>\n",
        chart.svg()
    )
}

/// The files beside the page that have the same as this table.
fn files(table: &str) -> String {
    let names = [
        (format!("{table}.csv"), "this table as CSV"),
        (format!("{table}.tex"), "as LaTeX"),
        (format!("{table}.md"), "as Markdown"),
        ("norms.csv".to_owned(), "curves by norm"),
        ("../records.jsonl".to_owned(), "all records"),
    ];
    let link = |(path, text): &(String, &str)| format!("<a href=\"{path}\">{text}</a>");
    format!("<p class=\"files\">{}</p>\n", names.iter().map(link).collect::<Vec<_>>().join(" "))
}

fn table_cell(cell: &Cell, digits: usize, suspect: Option<&str>) -> String {
    let mut html = match cell.value {
        Some(value) => format!("<td data-value=\"{value}\">{}", fixed(value, digits)),
        None => "<td>–".to_owned(),
    };
    if let Some(certainty) = cell.certainty(digits) {
        let _ = write!(html, " <small>{certainty}</small>");
    }
    if let Some(printed) = cell.printed {
        let _ = match suspect {
            Some(why) => write!(
                html,
                " <span class=\"printed suspect\" title=\"suspect as printed: {}\">({printed:.4}†)</span>",
                escaped(why)
            ),
            None => write!(html, " <span class=\"printed\">({printed:.4})</span>"),
        };
    }
    html + "</td>"
}

pub(super) fn list(heading: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut html = format!("<details><summary>{heading}</summary>\n<ul>\n");
    for line in lines {
        let _ = writeln!(html, "<li>{}</li>", escaped(line));
    }
    html + "</ul></details>\n"
}

fn data_uri(image: &RgbImage) -> Result<String, ReportError> {
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(png(image)?)))
}
