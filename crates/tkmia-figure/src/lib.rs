//! Charts, and attacked images side by side with their top-k lists, as in the paper's Figures 4 to 7.
//!
//! A [`Chart`] is drawn as SVG or as a picture, the same on both. [`draw`] turns [`Panel`]s, one per
//! sample, into a picture. Fonts are embedded: no system font is asked for, and the same data give the
//! same bytes. Writing to files is left to the caller.

mod canvas;
mod chart;
mod error;
mod escaped;
mod panel;
mod text;

pub use chart::{Axis, Chart, Scale, Series, Shape, beside, chart_style};
pub use error::FigureError;
pub use escaped::escaped;
pub use panel::{Panel, RankedLabel, Role, draw};
