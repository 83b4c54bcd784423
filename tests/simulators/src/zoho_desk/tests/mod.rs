//! Tests of the simulator, one behaviour each; the names say which.
//!
//! In-process, on a virtual clock; nothing here sleeps.
