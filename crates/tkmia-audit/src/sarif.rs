//! Findings for continuous integration, in the form of OASIS SARIF 2.1.0.

use serde_json::{Value, json};

use crate::{Findings, Limit};

/// A result for each limit that was undercut, and one for each label that is hidden imperceptibly on most images.
pub fn sarif(findings: &Findings, limits: &[Limit]) -> Value {
    let undercut = limits.iter().filter_map(|limit| {
        let found = limit.undercut(findings)?;
        Some(result("limit", "error", format!("{limit} was undercut: {found:.4} was found")))
    });
    let easy = findings.labels.iter().filter(|(_, risk)| risk.within[0].share > 0.5);
    let easy = easy.map(|(label, risk)| {
        let (share, images) = (100.0 * risk.within[0].share, risk.images);
        let text = format!("`{label}` vanishes from the top-{} of {share:.0} % of {images} images by a change that can't be seen", findings.k);
        result("hidden-label", "warning", text)
    });
    let rule = |id: &str, text: &str| json!({"id": id, "shortDescription": {"text": text}});
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "tkmia",
                "version": findings.version,
                "rules": [
                    rule("limit", "A figure of the audit is below its limit"),
                    rule("hidden-label", "A label can be made to vanish unseen"),
                ],
            }},
            "results": undercut.chain(easy).collect::<Value>(),
        }],
    })
}

fn result(rule: &str, level: &str, text: String) -> Value {
    json!({"ruleId": rule, "level": level, "message": {"text": text}})
}
