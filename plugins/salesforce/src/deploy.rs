//! Custom objects by the Metadata API.
