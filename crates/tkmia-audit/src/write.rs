//! [`write_audit`]: what was found, as files.

use std::path::Path;

use serde::Serialize;
use tkmia_experiment::{Plan, write_failed};
use tkmia_file::write_whole;
use tkmia_report::pictures;

use crate::page::page;
use crate::sarif::sarif;
use crate::{AuditError, Findings, Limit};

/// The page.
pub const PAGE: &str = "audit.html";

/// Writes what an audit's folder shows by now: [`PAGE`], `audit.json` and `audit.sarif`.
///
/// # Errors
/// A folder that holds no audit, a file that can't be read or written.
pub fn write_audit(folder: &Path, limits: &[Limit]) -> Result<Findings, AuditError> {
    let plan = Plan::read(folder)?;
    let records = plan.read_records(folder)?;
    let findings = Findings::new(folder, &plan, &records)?;
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        write_whole(&path, bytes).map_err(write_failed(&path))
    };
    write("audit.json", &json(&findings))?;
    write("audit.sarif", &json(&sarif(&findings, limits)))?;
    write(PAGE, page(&findings, pictures(folder)?)?.as_bytes())?;
    Ok(findings)
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(value).expect("numbers, texts and lists alone")
}
