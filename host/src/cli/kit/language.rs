//! The languages that a connector can be begun in, and what a new one consists of.
//!
//! A language is a case of [`Language`], a folder of templates and a way to build; nothing else in the kit knows of any.

use crate::contract::description::Role;

/// What a connector is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(in crate::cli) enum Language {
    /// With `sdk/rust`.
    #[default]
    Rust,
    /// With `sdk/python`
    Python,
}

/// Where a project gets its SDK from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Sdk {
    /// A checkout.
    Path(String),
    /// A repository.
    Git(String),
}

/// A file of a new connector: its path in the folder, and its text.
pub(super) type File = (&'static str, &'static str);

macro_rules! rust_file {
    ($name:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../sdk/rust/templates/",
            $name
        ))
    };
}

const RUST_SOURCE: &[File] = &[
    ("Cargo.toml", rust_file!("Cargo.toml.in")),
    (".gitignore", rust_file!("gitignore.in")),
    ("README.md", rust_file!("source/README.md")),
    ("src/lib.rs", rust_file!("source/src/lib.rs")),
    ("src/api.rs", rust_file!("source/src/api.rs")),
    ("src/describe.rs", rust_file!("source/src/describe.rs")),
    ("src/map.rs", rust_file!("source/src/map.rs")),
    (
        "conformance/mock.toml",
        rust_file!("source/conformance/mock.toml"),
    ),
];

const RUST_DESTINATION: &[File] = &[
    ("Cargo.toml", rust_file!("Cargo.toml.in")),
    (".gitignore", rust_file!("gitignore.in")),
    ("README.md", rust_file!("destination/README.md")),
    ("src/lib.rs", rust_file!("destination/src/lib.rs")),
    ("src/api.rs", rust_file!("destination/src/api.rs")),
    ("src/describe.rs", rust_file!("destination/src/describe.rs")),
    ("src/people.rs", rust_file!("destination/src/people.rs")),
    ("src/tickets.rs", rust_file!("destination/src/tickets.rs")),
    ("src/undo.rs", rust_file!("destination/src/undo.rs")),
    (
        "conformance/mock.toml",
        rust_file!("destination/conformance/mock.toml"),
    ),
];

macro_rules! python_file {
    ($name:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../sdk/python/templates/",
            $name
        ))
    };
}

const PYTHON_SOURCE: &[File] = &[
    ("pyproject.toml", python_file!("pyproject.toml.in")),
    (".gitignore", python_file!("gitignore.in")),
    ("README.md", python_file!("source/README.md")),
    (
        "connector/__init__.py",
        python_file!("source/connector/__init__.py"),
    ),
    ("connector/api.py", python_file!("source/connector/api.py")),
    (
        "connector/describe.py",
        python_file!("source/connector/describe.py"),
    ),
    ("connector/map.py", python_file!("source/connector/map.py")),
    (
        "tests/test_connector.py",
        python_file!("source/tests/test_connector.py"),
    ),
    // The same platform as that of the other language.
    (
        "conformance/mock.toml",
        rust_file!("source/conformance/mock.toml"),
    ),
];

const PYTHON_DESTINATION: &[File] = &[
    ("pyproject.toml", python_file!("pyproject.toml.in")),
    (".gitignore", python_file!("gitignore.in")),
    ("README.md", python_file!("destination/README.md")),
    (
        "connector/__init__.py",
        python_file!("destination/connector/__init__.py"),
    ),
    (
        "connector/api.py",
        python_file!("destination/connector/api.py"),
    ),
    (
        "connector/describe.py",
        python_file!("destination/connector/describe.py"),
    ),
    (
        "connector/people.py",
        python_file!("destination/connector/people.py"),
    ),
    (
        "connector/tickets.py",
        python_file!("destination/connector/tickets.py"),
    ),
    (
        "connector/undo.py",
        python_file!("destination/connector/undo.py"),
    ),
    (
        "tests/test_connector.py",
        python_file!("destination/tests/test_connector.py"),
    ),
    // The same platform as that of the other language.
    (
        "conformance/mock.toml",
        rust_file!("destination/conformance/mock.toml"),
    ),
];

impl Language {
    /// What a new connector consists of.
    pub fn files(self, role: Role) -> &'static [File] {
        match (self, role) {
            (Self::Python, Role::Source) => PYTHON_SOURCE,
            (Self::Python, Role::Destination) => PYTHON_DESTINATION,
            (Self::Rust, Role::Source) => RUST_SOURCE,
            (Self::Rust, Role::Destination) => RUST_DESTINATION,
        }
    }

    /// The SDK as the project's own manifest names it.
    pub fn sdk(self, sdk: &Sdk) -> String {
        match (self, sdk) {
            (Self::Rust | Self::Python, Sdk::Path(path)) => format!("path = {path:?}"),
            (Self::Rust | Self::Python, Sdk::Git(url)) => format!("git = {url:?}"),
        }
    }

    /// Where the SDK lies in a checkout of Transload.
    pub fn sdk_folder(self) -> &'static str {
        match self {
            Self::Rust => "sdk/rust",
            Self::Python => "sdk/python",
        }
    }

    /// The language of a project, by its manifest.
    pub fn of(dir: &std::path::Path) -> Option<Self> {
        let manifests = [("Cargo.toml", Self::Rust), ("pyproject.toml", Self::Python)];
        let found = manifests.iter().find(|(name, _)| dir.join(name).is_file());
        found.map(|(_, language)| *language)
    }
}
