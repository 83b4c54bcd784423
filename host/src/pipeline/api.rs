//! The functions of the pipeline, before it is there.

use std::path::Path;

use super::model::{
    CheckReport, Events, Plan, RollbackOptions, RollbackReport, RunOptions, RunReport,
};
use crate::config::Config;
use crate::error::Error;

const WHAT: &str = "the pipeline";

/// A project's folder, opened.
#[derive(Debug)]
pub struct Project {
    /// Its configuration.
    pub config: Config,
}

impl Project {
    /// Opens a project.
    ///
    /// # Errors
    /// None yet.
    pub async fn open(_dir: &Path, config: Config) -> Result<Self, Error> {
        Ok(Self { config })
    }
}

/// Tests both connections.
///
/// # Errors
/// [`Error::Unavailable`]
pub async fn check(_project: &Project, _events: &dyn Events) -> Result<CheckReport, Error> {
    Err(Error::Unavailable(WHAT))
}

/// Says what a run would do.
///
/// # Errors
/// [`Error::Unavailable`]
pub async fn plan(_project: &Project, _events: &dyn Events) -> Result<Plan, Error> {
    Err(Error::Unavailable(WHAT))
}

/// Runs, or goes on.
///
/// # Errors
/// [`Error::Unavailable`]
pub async fn run(
    _project: &Project,
    _options: RunOptions,
    _events: &dyn Events,
) -> Result<RunReport, Error> {
    Err(Error::Unavailable(WHAT))
}

/// Where a run stands.
///
/// # Errors
/// [`Error::Unavailable`]
pub async fn status(_project: &Project, _run: Option<&str>) -> Result<RunReport, Error> {
    Err(Error::Unavailable(WHAT))
}

/// Takes a run back.
///
/// # Errors
/// [`Error::Unavailable`]
pub async fn rollback(
    _project: &Project,
    _options: RollbackOptions,
    _events: &dyn Events,
) -> Result<RollbackReport, Error> {
    Err(Error::Unavailable(WHAT))
}

/// Everything about a run.
///
/// # Errors
/// [`Error::Unavailable`]
pub async fn report(_project: &Project, _run: Option<&str>) -> Result<RunReport, Error> {
    Err(Error::Unavailable(WHAT))
}
