//! The findings as one page that needs nothing else: no network, no other file, no script.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tkmia_figure::{Axis, Chart, Series, Shape, chart_style, escaped};
use tkmia_report::{Picture, Pictured, png};

use crate::findings::rms;
use crate::{AuditError, Findings, Hidden, Risk, Share, Shown, Telling, Visibility};

/// What the page may load: nothing. Its images lie in it.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";
/// Images of which the page shows what the attack made of them.
const WORST: usize = 6;

/// The page of an audit, with some of its pictures.
pub fn page(findings: &Findings, pictures: Vec<Picture>) -> Result<String, AuditError> {
    let title = format!("What can be hidden from the top-{}", findings.k);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{STYLE}{CHARTS}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n",
        STYLE = include_str!("page.css"),
        CHARTS = chart_style(),
    );
    let [done, of] = findings.attacks;
    if done < of {
        let _ = writeln!(html, "<p role=\"status\">So far: {done} of {of} attacks are done.</p>");
    }
    html += "<ul class=\"answers\">\n";
    for (question, answer) in findings.answers() {
        let _ = writeln!(html, "<li><strong>{question}</strong> {}</li>", escaped(&answer));
    }
    html += "</ul>\n";
    let worst = worst(findings, pictures)?;
    if let Some((first, others)) = worst.split_first() {
        html += &figure(findings, first)?;
        html += &labels(findings);
        if !others.is_empty() {
            html += "<h2>More of the most easily hidden labels</h2>\n<div class=\"worst\">\n";
            for each in others {
                html += &figure(findings, each)?;
            }
            html += "</div>\n";
        }
    } else {
        html += &labels(findings);
    }
    html += &curve(findings);
    html += &measures(findings);
    html += &monitors(findings);
    html += &next(findings);
    html += &how(findings);
    Ok(html + "</main>\n</body>\n</html>\n")
}

impl Findings {
    /// The three questions of whoever is responsible for the tagger, and what to do, each with its answer.
    pub fn answers(&self) -> [(&'static str, String); 4] {
        let Self { overall, attacked_images: n, k, .. } = self;
        // Of one image nobody can say that its label goes most easily.
        let enough = self.labels.iter().map(|(_, risk)| risk.images).max().unwrap_or(0).min(5);
        let nothing_to_attack = self.attacks[1] == 0 && self.missed.is_empty();
        let which = match self.labels.iter().find(|(_, risk)| risk.images >= enough) {
            None if nothing_to_attack => format!(
                "No image takes part: of those with more than {k} labels none has one in the tagger's top-{k}."
            ),
            None => "Nothing has been attacked yet.".to_owned(),
            Some((label, risk)) => {
                let easiest = risk.median_rms.map_or(String::new(), |rms| {
                    let images = risk.images;
                    let rms = short(rms);
                    format!(
                        " Of the labels on {enough} images or more “{label}” goes most easily: {rms} grey levels (median of {images})."
                    )
                });
                let Share { share, interval } = overall.within[0];
                let sure = interval.map_or(String::new(), |[low, high]| {
                    format!(" (95 % interval {:.0} to {:.0} %)", 100.0 * low, 100.0 * high)
                });
                format!(
                    "On {:.0} % of {n} images{sure} a label that is shown can be made to vanish from the top-{k} by a change that nobody sees.{easiest}",
                    100.0 * share
                )
            }
        };
        let cost = match (overall.median_rms, overall.median_norm) {
            (Some(rms), Some(norm)) => format!(
                "On half of the images {} grey levels{} are enough: the root mean square over all values, an L2 norm of {} in pixels of [0, 1]. \
                 One level can't be seen, and four can hardly be.",
                short(rms),
                ends(overall.median_rms_interval),
                short(norm)
            ),
            _ if *n == 0 => "Not measured yet.".to_owned(),
            _ => "Most images resisted: no change was found that hides the label.".to_owned(),
        };
        let precision = self.shown.iter().find(|shown| shown.measure.starts_with("P@"));
        let notice = match precision {
            None => "Not measured yet.".to_owned(),
            Some(shown) => {
                let Shown { measure, clean, attacked, .. } = shown;
                let verdict = if shown.is_hidden() {
                    "Not by the ranking measures"
                } else {
                    "Perhaps: the ranking measures move"
                };
                format!(
                    "{verdict}: {measure} is {clean:.3} before and {attacked:.3} after the attack{}. Only how often the hidden label itself is shown must fall.{}",
                    drop_interval(shown),
                    self.telling.first().map_or(String::new(), |Telling { statistic, auc }| format!(
                        " Of an attacked and another image, the {statistic} tells which is which in {:.0} % of cases.",
                        100.0 * auc
                    ))
                )
            }
        };
        let next = match overall.within[0].share {
            share if share >= 0.5 => {
                "Watch how often each label is shown, keep the images, and train against such changes; then audit again and compare."
            }
            _ if nothing_to_attack => {
                "Look whether the labels are the tagger's own, or choose another k."
            }
            _ => {
                "Audit more images for longer before you rely on this, and again after each training."
            }
        };
        [
            ("Which labels can be made to vanish?", which),
            ("At what visible cost?", cost),
            ("Would we notice?", notice),
            ("What next?", next.to_owned()),
        ]
    }
}

impl Shown {
    /// Whether the measure drops by less than a twentieth, with 95 % certainty.
    fn is_hidden(&self) -> bool {
        self.interval.map_or(self.drop, |[_, high]| high) < 0.05
    }
}

/// The images on which a label was hidden by the smallest changes, of those whose pictures were kept; of each image one.
fn worst(
    findings: &Findings,
    pictures: Vec<Picture>,
) -> Result<Vec<(Hidden, Pictured)>, AuditError> {
    let mut kept = Vec::new();
    let values = 3 * (findings.side as usize).pow(2);
    for picture in pictures {
        let Some(record) = picture.records().next() else { continue };
        let rms = rms(record, values);
        let of = |hidden: &&Hidden| hidden.image == record.id && hidden.rms == rms;
        if let Some(hidden) = findings.hidden.iter().find(of) {
            kept.push((hidden.clone(), picture));
        }
    }
    kept.sort_by(|(a, _), (b, _)| a.rms.total_cmp(&b.rms));
    let mut shown: Vec<(Hidden, Pictured)> = Vec::new();
    for (hidden, picture) in kept {
        if shown.len() < WORST && !shown.iter().any(|(other, _)| other.image == hidden.image) {
            shown.push((hidden, picture.rows()?.remove(0)));
        }
    }
    Ok(shown)
}

fn figure(findings: &Findings, (hidden, row): &(Hidden, Pictured)) -> Result<String, AuditError> {
    let uri = |image| -> Result<String, AuditError> {
        Ok(format!("data:image/png;base64,{}", STANDARD.encode(png(image)?)))
    };
    let Hidden { image, label, rms, norm, before, after } = hidden;
    let list = |title: &str, labels: &[String], others: &[String]| {
        let items = labels.iter().map(|label| {
            let class = if others.contains(label) { "" } else { " class=\"lost\"" };
            let class = if title == "before" { class } else { "" };
            format!("<li><span{class}>{}</span></li>", escaped(label))
        });
        format!("<div><span>{title}</span><ol>{}</ol></div>", items.collect::<String>())
    };
    Ok(format!(
        "<figure>\n<div class=\"images\"><img alt=\"{id} as it is\" src=\"{original}\"><img alt=\"{id} after the attack\" src=\"{perturbed}\">\
         <img alt=\"the difference, a hundred times as strong\" src=\"{difference}\"></div>\n\
         <div class=\"tops\">{first}{second}</div>\n\
         <figcaption>{id}: “{label}” leaves the top-{k}. The image as it is, after the attack ({rms} grey levels, L2 norm {norm}), and the difference, a hundred times as strong.</figcaption>\n</figure>\n",
        id = escaped(image),
        label = escaped(label),
        k = findings.k,
        rms = short(*rms),
        norm = short(*norm),
        original = uri(&row.original)?,
        perturbed = uri(&row.perturbed)?,
        difference = uri(&row.magnified()?)?,
        first = list("before", before, after),
        second = list("after", after, before),
    ))
}

/// The table of labels.
fn labels(findings: &Findings) -> String {
    let [imperceptible, slight] = Visibility::ALL;
    let mut html = format!(
        "<h2>Risk by label</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Risk by label\"><table>\n\
         <caption>The share of images from whose top-{k} the label can be made to vanish, by changes of at most {a} and {b} grey levels (root mean square), and the median change. \
         A change counts if it outlives being saved with 8 bits. In brackets 95 % intervals.</caption>\n\
         <thead><tr><th scope=\"col\">label</th><th scope=\"col\">images</th><th scope=\"col\">{an}</th><th scope=\"col\">{bn}</th><th scope=\"col\">at all</th>\
         <th scope=\"col\">median, grey levels</th><th scope=\"col\">median, L2 in [0, 1]</th></tr></thead>\n<tbody>\n",
        k = findings.k,
        a = imperceptible.rms,
        b = slight.rms,
        an = imperceptible.name,
        bn = slight.name,
    );
    let published =
        findings.published.as_ref().map(|(risk, _)| ("any, by TkMIA as published", risk));
    let any = [("any, drawn at random", &findings.overall)].into_iter().chain(published);
    let labels = findings.labels.iter().map(|(label, risk)| (label.as_str(), risk));
    for (label, risk) in any.chain(labels) {
        let Risk { images, hidden, within, median_rms, median_rms_interval, median_norm } = risk;
        let share = |share: &Share| {
            format!(
                "<td class=\"bar\" style=\"--share:{:.0}%\">{:.0} %{}</td>",
                100.0 * share.share,
                100.0 * share.share,
                small(share.interval.map(|ends| ends.map(|end| format!("{:.0}", 100.0 * end))))
            )
        };
        let number = |value: &Option<f64>| value.map_or_else(|| "–".to_owned(), short);
        let interval = median_rms_interval.map(|ends| ends.map(|end| number(&end)));
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{}</th><td>{images}</td>{}{}{}<td>{}{}</td><td>{}</td></tr>",
            escaped(label),
            share(&within[0]),
            share(&within[1]),
            share(hidden),
            number(median_rms),
            small(interval),
            number(median_norm),
        );
    }
    html + "</tbody></table></div>\n"
}

fn curve(findings: &Findings) -> String {
    let steps = |rms: Vec<f64>, images: usize| -> Vec<(f64, f64)> {
        (1..).zip(rms).map(|(count, rms)| (rms, f64::from(count) / images.max(1) as f64)).collect()
    };
    let rms: Vec<f64> =
        findings.hidden.iter().map(|hidden| hidden.rms).filter(|rms| *rms > 0.0).collect();
    if rms.is_empty() {
        return String::new();
    }
    let attacked = findings.labels.iter().map(|(_, risk)| risk.images).sum();
    let series =
        Series { name: "labels hidden".into(), points: steps(rms, attacked), shape: Shape::Steps };
    let chart = Chart {
        title: String::new(),
        horizontal: Axis::logarithmic("change, grey levels (root mean square)")
            .with_range(0.1, 10.0),
        vertical: Axis::linear("share of labels hidden").with_range(0.0, 1.0),
        series: vec![series],
        size: [520.0, 260.0],
    };
    format!(
        "<h2>What a change of a given size does</h2>\n<p>The share of {attacked} shown labels that can be hidden by changes up to each size.</p>\n<div class=\"plot\" tabindex=\"0\" role=\"region\" aria-label=\"Curve\">{}</div>\n",
        chart.svg()
    )
}

fn measures(findings: &Findings) -> String {
    let mut html = format!(
        "<h2>What the ranking measures show</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Measures\"><table>\n\
         <caption>Means over {} images before and after a label of each was hidden, and the mean drop with its 95 % interval.</caption>\n\
         <thead><tr><th scope=\"col\">measure</th><th scope=\"col\">attack</th><th scope=\"col\">before</th><th scope=\"col\">after</th><th scope=\"col\">drop</th></tr></thead>\n<tbody>\n",
        findings.attacked_images
    );
    let published = findings.published.iter().flat_map(|(_, shown)| shown);
    let rows = findings.shown.iter().map(|shown| ("smallest change", shown));
    for (attack, shown) in rows.chain(published.map(|shown| ("TkMIA as published", shown))) {
        let Shown { measure, clean, attacked, drop, interval } = shown;
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{}</th><td>{attack}</td><td>{clean:.3}</td><td>{attacked:.3}</td><td>{:.3}{}</td></tr>",
            escaped(measure),
            drop + 0.0,
            small(interval.map(|ends| ends.map(|end| format!("{end:.3}"))))
        );
    }
    html + "</tbody></table></div>\n"
}

fn monitors(findings: &Findings) -> String {
    let rows = findings.telling.iter().map(|Telling { statistic, auc }| {
        format!("<tr><th scope=\"row\">{}</th><td>{auc:.2}</td></tr>\n", escaped(statistic))
    });
    format!(
        "<h2>What a monitor would see</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Monitors\"><table>\n\
         <caption>Of one attacked and one other image, how often a number of the scores tells which is which (AUC over {} images each): 0.5 is a coin. \
         An attacker who knows of it can avoid it.</caption>\n\
         <thead><tr><th scope=\"col\">statistic</th><th scope=\"col\">AUC</th></tr></thead>\n<tbody>\n{}</tbody></table></div>\n\
         <p>How soon a stream of images gives an attack away, at a stated rate of false alarms, is told by <code>tkmia monitor</code>.</p>\n",
        findings.attacked_images,
        rows.collect::<String>()
    )
}

fn next(findings: &Findings) -> String {
    format!(
        "<h2>Next steps</h2>\n<ul>\n\
         <li>More images and longer searches, in a folder of its own:<pre>tkmia audit MODEL --images FOLDER --k {k} --minutes 60 --output out/audit-60</pre></li>\n\
         <li>After a change of the tagger, the same images again, and whether it has helped:<pre>tkmia audit NEW-MODEL --images FOLDER --k {k} --output out/audit-new\ntkmia compare out/audit out/audit-new</pre></li>\n\
         <li>In continuous integration, fail where hiding is too easy:<pre>tkmia audit MODEL --images FOLDER --k {k} --fail-under median-norm=0.5</pre></li>\n</ul>\n",
        k = findings.k
    )
}

fn how(findings: &Findings) -> String {
    let Findings { tagger, images, side, seed, version, search, attacks: [done, of], .. } =
        findings;
    let facts = [
        ("tagger", format!("{} (SHA-256 {})", tagger.description, tagger.sha256)),
        ("images", format!("{images}, seen at {side} × {side}")),
        (
            "attack",
            format!("{search}: the smallest change found that hides a label and lowers no measure"),
        ),
        ("attacks done", format!("{done} of {of}")),
        ("seed, version", format!("{seed}, tkmia {version}")),
    ];
    let missed = [
        ("scores that aren't finite", &findings.missed.lost),
        ("images that can't be decoded", &findings.missed.undecodable),
    ];
    let missed =
        missed.into_iter().filter(|(_, images)| !images.is_empty()).map(|(kind, images)| {
            (kind, images.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
        });
    let facts = facts.into_iter().chain(missed);
    let rows = facts.map(|(name, text)| format!("<dt>{name}</dt><dd>{}</dd>", escaped(&text)));
    format!(
        "<h2>How this was measured</h2>\n<dl>{}</dl>\n\
         <p class=\"note\">The attacker knows the network. What is hidden by a larger change than was found here may be hidden by a smaller one: these are upper limits. \
         Images take part that have more labels than the top-{} has places and show one of them there. All numbers are in audit.json; those of each attack are in records.jsonl, and the experiment's own report is in report/index.html.</p>\n",
        rows.collect::<String>(),
        findings.k
    )
}

fn ends(interval: Option<[Option<f64>; 2]>) -> String {
    let end = |end: Option<f64>| end.map_or_else(|| "∞".to_owned(), short);
    interval.map_or(String::new(), |[low, high]| format!(" [{}–{}]", end(low), end(high)))
}

/// With three digits that say something.
fn short(value: f64) -> String {
    let before = if value > 0.0 { value.log10().floor() as i32 + 1 } else { 1 };
    format!("{value:.digits$}", digits = (3 - before).clamp(0, 6) as usize)
}

fn drop_interval(shown: &Shown) -> String {
    shown
        .interval
        .map_or(String::new(), |[low, high]| format!(" (a drop of {low:.3} to {high:.3})"))
}

fn small(ends: Option<[String; 2]>) -> String {
    ends.map_or(String::new(), |[low, high]| format!(" <small>[{low}, {high}]</small>"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    /// The relative luminance of a colour, as WCAG 2 has it.
    fn luminance(colour: &str) -> f64 {
        let hex = colour.trim_start_matches('#');
        let hex = if hex.len() == 3 {
            hex.chars().flat_map(|c| [c, c]).collect()
        } else {
            hex.to_owned()
        };
        let linear = |at: usize| {
            let value =
                f64::from(u8::from_str_radix(&hex[at..at + 2], 16).expect("a colour")) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(0) + 0.7152 * linear(2) + 0.0722 * linear(4)
    }

    #[test]
    fn numbers_have_three_digits() {
        let short = [0.0, 0.004_162, 0.0399, 1.0, 25.43, 1234.0].map(super::short);
        assert_eq!(short, ["0.00", "0.00416", "0.0399", "1.00", "25.4", "1234"]);
    }

    #[test]
    fn texts_can_be_read_on_their_ground_by_day_by_night_and_on_paper() {
        let style = include_str!("page.css");
        let schemes = style.split(":root {").skip(1);
        let mut checked = 0;
        for scheme in schemes {
            let body = scheme.split('}').next().unwrap_or_default();
            let colours: HashMap<&str, &str> =
                body.split(';').filter_map(|line| line.trim().split_once(": ")).collect();
            let ratio = |text: &str, ground: &str| {
                let [a, b] = [text, ground].map(|name| luminance(colours[name]) + 0.05);
                a.max(b) / a.min(b)
            };
            for text in ["--ink", "--soft", "--link", "--lost"] {
                assert!(ratio(text, "--paper") >= 4.5, "{text} of {body}");
            }
            for text in ["--ink", "--soft"] {
                assert!(ratio(text, "--bar") >= 4.5, "{text} on the bars of {body}");
            }
            checked += 1;
        }
        assert_eq!(checked, 3);
    }
}
