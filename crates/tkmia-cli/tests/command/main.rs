//! The command as its users run it: one program of tests, since each that is linked takes seconds.

#![allow(clippy::unwrap_used)]

mod audit;
mod bad_input;
mod browser;
mod certify;
#[cfg(unix)]
mod commands;
mod cost;
mod experiments;
#[cfg(unix)]
mod interruption;
mod measures;
mod methods;
mod monitors;
mod overwriting;
mod photographs;
mod recorded;
mod scores;
mod shell;
mod signs;
#[cfg(target_os = "linux")]
mod streams;
mod surrogates;
mod terminal;
mod training;
mod universal;
mod victims;
mod ways;
mod webdriver;
