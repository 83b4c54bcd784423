//! The Intercom destination connector.
//!
//! `describe` says what it needs and can; `survey` looks at the account and makes the few things the connector itself needs;
//! `map`, `text` and `thread` translate, and are functions of their arguments alone; `write` sends; `verify` reads back; `undo`
//! takes back. `client` is the only place that knows Intercom's version, paging and refusals. What is known of Intercom is cited by section
//! of the Intercom facts.

pub mod api;
pub mod client;
pub mod describe;
pub mod map;
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
    pub struct Intercom;

    describe = describe::description;
    check = survey::check;
    survey = survey::survey;
    prepare = survey::prepare;
    match_items = write::matching::match_items;
    write = write::write;
    read_back = verify::read_back;
    undo = undo::undo;
    rehearse = rehearsal::answer;
    rehearse_instead = rehearsal::instead;
}
