//! Reports as one page that needs nothing else: no network, no other file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tkmia_metrics::Ranking;

use super::markdown::{capitalised, chosen, legend, name_headings, names, samples};
use super::pictures::{self, Picture, PicturedAttack};
use super::svg::{Curve, steps};
use super::trade_off::decades;
use super::{Cell, Report, ReportTable, Row};
use crate::{Printed, Record};

/// What the page may load: nothing. Its images lie in it.
const POLICY: &str =
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// Text as HTML shows it.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(c),
        }
    }
    out
}

impl Report {
    /// The report as a page; `pictured` samples at most have their images in it, see [`pictures::shown`].
    pub(super) fn html(&self, pictures: &[Picture], pictured: usize) -> String {
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
             <style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n",
            title = escaped(&self.title),
            STYLE = include_str!("page.css"),
        );
        for line in self.preamble() {
            let _ = writeln!(page, "<p>{}</p>", escaped(&line));
        }
        page += &self.contents(!pictures.is_empty() && pictured > 0);
        for (number, table) in self.tables.iter().enumerate() {
            let (id, heading) = (table.name(number), capitalised(&table.heading()));
            let _ = writeln!(page, "<section id=\"{id}\">\n<h2>{}</h2>", escaped(&heading));
            page += &table.html();
            page += &list("Hyper-parameters", &table.runs());
            page += &list("Chosen on the tuning samples", &chosen(&self.trials, number));
            page += &trade_off(table);
            page += &table.curves();
            page += &self.class_table(table);
            page += "</section>\n";
        }
        page += &self.pictures(pictures, pictured);
        let _ = write!(page, "<script>\n{}</script>\n</body>\n</html>\n", include_str!("page.js"));
        page
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

    /// How often each class left the top-k, by method, over all settings of a table.
    fn class_table(&self, table: &ReportTable) -> String {
        let mut classes: BTreeMap<usize, BTreeMap<&str, [usize; 2]>> = BTreeMap::new();
        for row in &table.rows {
            for found in &row.classes {
                let by_method = classes.entry(found.class).or_default();
                let [samples, left] = by_method.entry(&row.label).or_default();
                *samples += found.samples;
                *left += found.left;
            }
        }
        if classes.is_empty() {
            return String::new();
        }
        let labels = table.labels();
        let mut html = String::from(
            "<details><summary>Success by class: how often a specified class that was in the top-k left it</summary>\n\
             <table class=\"sortable\"><thead><tr><th>Class</th>",
        );
        for label in &labels {
            let _ = write!(html, "<th>{}</th>", escaped(label));
        }
        html += "</tr></thead><tbody>\n";
        for (class, by_method) in &classes {
            let _ = write!(html, "<tr><td>{}</td>", escaped(&self.classes[*class]));
            for label in &labels {
                match by_method.get(label.as_str()) {
                    Some([samples, left]) => {
                        let share = *left as f64 / *samples as f64;
                        let _ = write!(
                            html,
                            "<td data-value=\"{share}\">{share:.3} <small>{left} of {samples}</small></td>"
                        );
                    }
                    None => html += "<td>–</td>",
                }
            }
            html += "</tr>\n";
        }
        html + "</tbody></table></details>\n"
    }

    fn pictures(&self, pictures: &[Picture], pictured: usize) -> String {
        if pictures.is_empty() || pictured == 0 {
            return String::new();
        }
        let mut html = String::from(
            "<section id=\"images\">\n<h2>Attacked images</h2>\n<p>The slider uncovers the perturbed image over the original; \
             beside it the perturbation, a hundred times as strong. Labels: \
             <span class=\"specified\">specified</span> <span class=\"relevant\">other relevant</span> \
             <span class=\"irrelevant\">irrelevant ×</span></p>\n",
        );
        for picture in pictures::shown(pictures, pictured) {
            let id = &picture.attacks[0].record.id;
            let _ = writeln!(
                html,
                "<h3>{}: {}</h3>\n<div class=\"methods\">",
                escaped(id),
                escaped(&picture.setting.to_string())
            );
            let original = data_uri(&picture.original);
            for attack in &picture.attacks {
                html += &self.pictured_attack(attack, &original);
            }
            html += "</div>\n";
        }
        html + "</section>\n"
    }

    fn pictured_attack(&self, attack: &PicturedAttack, original: &str) -> String {
        let Record { success, norm_input, iterations, .. } = attack.record;
        format!(
            "<figure>\n<figcaption>{label}: {outcome}, ‖ε‖₂ = {norm_input:.3} (input), {iterations} iterations</figcaption>\n\
             <div class=\"pair\"><img alt=\"original\" src=\"{original}\"><img alt=\"perturbed\" class=\"over\" src=\"{perturbed}\"></div>\
             <img alt=\"perturbation, a hundred times\" src=\"{perturbation}\">\n\
             <div class=\"slider\">original <input type=\"range\" min=\"0\" max=\"100\" value=\"50\" aria-label=\"original to perturbed\"> perturbed</div>\n\
             <div class=\"lists\"><div>before{before}</div><div>after{after}</div></div>\n</figure>\n",
            label = escaped(&attack.label),
            outcome = if success { "success" } else { "failure" },
            perturbed = data_uri(&attack.perturbed),
            perturbation = data_uri(&attack.perturbation),
            before = self.top(&attack.record, &attack.record.clean_scores),
            after = self.top(&attack.record, &attack.record.scores),
        )
    }

    fn top(&self, record: &Record, scores: &[f32]) -> String {
        let ranking = Ranking::new(scores).ok();
        let top = ranking.as_ref().and_then(|ranking| ranking.top(record.setting.k).ok());
        let mut html = String::from("<ol>");
        for &label in top.unwrap_or_default() {
            let (class, mark) = match label {
                _ if record.specified.contains(&label) => ("specified", ""),
                _ if record.relevant.contains(&label) => ("relevant", ""),
                _ => ("irrelevant", " ×"),
            };
            let name = self.classes.get(label).map_or("?", String::as_str);
            let _ = write!(html, "<li><span class=\"{class}\">{}{mark}</span></li>", escaped(name));
        }
        html + "</ol>"
    }
}

impl ReportTable {
    /// The rows' names, each once.
    fn labels(&self) -> Vec<String> {
        let mut labels: Vec<String> = Vec::new();
        for row in &self.rows {
            if !labels.contains(&row.label) {
                labels.push(row.label.clone());
            }
        }
        labels
    }

    /// The rows of each name, over all settings.
    pub(super) fn by_label(&self) -> Vec<(String, Vec<&Row>)> {
        let rows = |label: &str| self.rows.iter().filter(|row| row.label == label).collect();
        self.labels().into_iter().map(|label| (label.clone(), rows(&label))).collect()
    }

    fn html(&self) -> String {
        let tanh = self.shows_tanh();
        let mut html = String::from("<table class=\"sortable\"><thead><tr>");
        let mut headings = name_headings(self.table.scheme).to_vec();
        headings.extend(["Method", "n", "ΔTkAcc ↓", "ΔP@k ↓", "ΔmAP@k ↓", "ΔNDCG@k ↓", "Δl ↑"]);
        if tanh {
            headings.push("APer ↓ (tanh space)");
        }
        headings.extend([
            "APer ↓ (input)",
            "APer ↓ (8-bit)",
            "success ↑",
            "kept in 8 bits",
            "iterations",
            "passes",
        ]);
        if self.compares_norms() {
            headings.push("local optimality ↑");
        }
        for heading in headings {
            // Lines break between a name and its unit only.
            let heading =
                heading.replace(" ↓", "\u{a0}↓").replace(" ↑", "\u{a0}↑").replace('-', "\u{2011}");
            let _ = write!(html, "<th>{heading}</th>");
        }
        html += "</tr></thead><tbody>\n";
        for row in &self.rows {
            html += &self.row(row, tanh);
        }
        html += "</tbody></table>\n";
        for line in legend(self) {
            let _ = writeln!(html, "<p class=\"legend\">{}</p>", escaped(&line));
        }
        html
    }

    fn row(&self, row: &Row, tanh: bool) -> String {
        let suspect = row.printed.and_then(Printed::suspect);
        let mut html = String::from("<tr>");
        for name in names(self.table.scheme, row) {
            let _ = write!(html, "<td>{}</td>", escaped(&name));
        }
        let _ = write!(
            html,
            "<td title=\"{}\">{}</td><td data-value=\"{}\">{}</td>",
            escaped(&row.run.to_string()),
            escaped(&row.label),
            row.n,
            escaped(&samples(row))
        );
        let mut cells: Vec<(&Cell, usize)> = row.changes.iter().map(|cell| (cell, 3)).collect();
        if tanh {
            cells.push((&row.aper_tanh, 3));
        }
        cells.extend([
            (&row.aper_input, 3),
            (&row.aper_pixels, 1),
            (&row.success, 3),
            (&row.kept_rounded, 3),
            (&row.iterations, 1),
            (&row.passes, 1),
        ]);
        for (cell, digits) in cells {
            html += &table_cell(cell, digits, suspect);
        }
        if self.compares_norms() {
            html += &match row.optimality {
                Some(value) => format!("<td data-value=\"{value}\">{value:.3}</td>"),
                None => "<td>–</td>".to_owned(),
            };
        }
        html + "</tr>\n"
    }

    /// Success by iterations, for each method over all settings of the table.
    fn curves(&self) -> String {
        let end =
            self.rows.iter().map(|row| row.run.max_iterations).max().unwrap_or(1).max(2) as f64;
        let curve = |(label, rows): (String, Vec<&Row>)| {
            let all: usize = rows.iter().map(|row| row.n).sum();
            let mut counts: BTreeMap<usize, f64> = BTreeMap::new();
            for row in rows {
                let mut before = 0.0;
                for &(iterations, share) in &row.successes_by_iteration {
                    *counts.entry(iterations).or_default() += (share - before) * row.n as f64;
                    before = share;
                }
            }
            let mut sum = 0.0;
            let step = |(at, count): (usize, f64)| {
                sum += count;
                (at as f64, sum / all as f64)
            };
            Curve { name: label, points: counts.into_iter().map(step).collect() }
        };
        let curves: Vec<Curve> = self.by_label().into_iter().map(curve).collect();
        if curves.iter().all(|curve| curve.points.is_empty()) {
            return String::new();
        }
        let mut ticks = decades(1.0, end);
        if ticks.last() != Some(&end) {
            ticks.push(end);
        }
        let chart =
            steps(&curves, [1.0, end], &ticks, "iterations", "share of samples that succeeded");
        let mut html =
            format!("<details open><summary>Success by iterations</summary>\n{chart}</details>\n");
        for (title, chart) in self.norm_curves() {
            html += &format!("<details><summary>{title}</summary>\n{chart}</details>\n");
        }
        html
    }
}

fn trade_off(table: &ReportTable) -> String {
    format!(
        "<details open><summary>Norm against the change of mAP@k</summary>\n{}</details>\n",
        table.trade_off()
    )
}

fn table_cell(cell: &Cell, digits: usize, suspect: Option<&str>) -> String {
    use super::cell::fixed;
    let mut html = match cell.value {
        Some(value) => format!("<td data-value=\"{value}\">{}", fixed(value, digits)),
        None => "<td>–".to_owned(),
    };
    if let Some([low, high]) = cell.interval {
        let _ = write!(html, " <small>[{}, {}]</small>", fixed(low, digits), fixed(high, digits));
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

fn list(heading: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut html = format!("<details><summary>{heading}</summary>\n<ul>\n");
    for line in lines {
        let _ = writeln!(html, "<li>{}</li>", escaped(line));
    }
    html + "</ul></details>\n"
}

fn data_uri(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}
