//! Attacks on a classifier that is small enough to check by hand: one program of tests, since each that is linked takes seconds.

#![allow(clippy::unwrap_used)]

mod active_test;
mod analytic;
mod bookkeeping;
mod criteria;
mod criterion_table;
mod laws;
mod signs;
mod universal;
mod victim;
