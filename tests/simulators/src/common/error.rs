//! What can go wrong in building or starting a simulator. Answers to clients are never errors of this kind.

/// An error of the simulator itself.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// A `--faults` text that cannot be read.
    #[error("fault rule {rule:?}: {reason}")]
    FaultRule {
        /// The rule as written.
        rule: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server could not be started.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A vendor's API description could not be read.
    #[error("cannot read the API description {path}: {reason}")]
    Spec {
        /// The file.
        path: String,
        /// Why not.
        reason: String,
    },
}
