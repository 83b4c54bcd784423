//! The Salesforce Service Cloud destination connector.
//!
//! `describe` says what it needs and can; `survey` looks at the org; `prepare` makes the few things the connector itself needs;
//! `map` and `fields` translate, and are functions of their arguments alone; `write` sends; `verify` reads back; `undo` takes
//! back. `client` is the only place that builds requests. What is known of Salesforce is cited by section of the Salesforce
//! facts.

pub mod api;
pub mod bulk;
pub mod client;
pub mod deploy;
pub mod describe;
pub mod fields;
pub mod map;
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
    pub struct Salesforce;

    describe = describe::description;
    check = survey::check;
    survey = survey::survey;
    prepare = prepare::prepare;
    match_items = write::matching::match_items;
    write = write::write;
    read_back = verify::read_back;
    undo = undo::undo;
    rehearse = rehearsal::answer;
    rehearse_instead = rehearsal::instead;
}
