//! Tests of the simulator, one behaviour each; the names say which.
