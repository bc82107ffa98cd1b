//! What people see of the results: tables, targets, plots, and the document that holds them.

mod document;
mod plots;
mod table;
mod targets;

pub(super) use self::document::{markdown, put_into};
pub(super) use self::plots::plots;
