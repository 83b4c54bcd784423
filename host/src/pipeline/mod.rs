//! What happens to one migration: check, plan, run, status, roll back, report.
//!
//! Functions here take a [`Project`](project::Project) and return plain, serializable values (`model`); what is printed is the business of `cli` and
//! `report`. Progress is told through [`Events`].

mod api;
pub mod model;

pub use api::{check, plan, report, rollback, run, status};

/// A project's folder, opened.
pub mod project {
    pub use super::api::Project;
}
