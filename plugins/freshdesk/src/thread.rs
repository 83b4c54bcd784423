//! Translates a thread into a ticket with its notes.
