//! What attacks say of a deployed tagger, for the people who are responsible for it: which labels can be made to vanish
//! from its top-k, at what visible cost, and whether anyone would notice.
//!
//! - [`Work`]: how many images are attacked, and how thoroughly, by the time there is
//! - [`presumed`]: images without labels, by what the tagger itself is most confident of
//! - [`Findings`]: the answers, a pure function of an experiment's plan and records; [`Risk`] is of one label
//! - [`write_audit`]: the answers as a page, as JSON, and as SARIF for continuous integration
//! - [`Comparison`]: two audits of the same images

mod comparison;
mod error;
mod findings;
mod limit;
mod page;
mod presumed;
mod risk;
mod sarif;
mod visibility;
mod work;
mod write;

pub use comparison::{Comparison, Gain};
pub use error::AuditError;
pub use findings::{Findings, Hidden, Shown, Telling};
pub use limit::Limit;
pub use presumed::presumed;
pub use risk::{Risk, Share};
pub use visibility::Visibility;
pub use work::Work;
pub use write::{PAGE, write_audit};
