//! The HubSpot Service Hub destination connector.
//!
//! `describe` says what it needs and can; `survey` looks at the account; `prepare` makes the few things the connector itself
//! needs; `own`, `map`, `thread` and `text` translate, and are functions of their arguments alone; `write` sends; `verify` reads
//! back; `undo` takes back. `client` is the only place that builds requests on records. What is known of HubSpot is cited by
//! section of the HubSpot facts.

pub mod api;
pub mod client;
pub mod describe;
pub mod map;
pub mod own;
pub mod prepare;
pub mod rehearsal;
pub mod state;
pub mod survey;
pub mod text;
pub mod thread;
pub mod undo;
pub mod verify;
pub mod write;

transload_sdk::destination! {
    /// The connector.
    pub struct HubSpot;

    describe = describe::description;
    check = survey::check;
    survey = survey::survey;
    prepare = prepare::prepare;
    match_items = write::matching::match_items;
    write = write::write;
    read_back = verify::read_back;
    undo = undo::undo;
    rehearse = rehearsal::answer;
}
