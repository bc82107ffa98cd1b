//! What people see of the results: tables, targets, plots, and the document that holds them.

mod chart;
mod document;
mod plots;
mod table;
mod targets;

pub(crate) use self::document::{markdown, put_into};
pub(crate) use self::plots::plots;
