//! Texts of tickets and notes.
