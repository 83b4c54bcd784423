//! The source card (rule M-2), which is the SDK's. Here it stands in the last comment of a ticket, in the notes of a user or
//! organization, in a text field of a record; how it is cut into comments is in `thread`.

pub use transload_sdk::card::{
    Facts as Card, conversation, customer, fitted, head, location, object, satisfaction,
};
