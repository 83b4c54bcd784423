//! Holds the destination against the source.
