//! Two people and what they say: Bo Ng asks, Dana Dunn, an agent, answers.

use transload_sdk::Destination;
use transload_sdk::destination::Item;
use transload_sdk::testing::items::{agent, customer, said, thread};
use transload_sdk::testing::trial::Trial;
use transload_sdk::types::{
    Address, AddressChannel, Author, Conversation, ConversationStatus, Customer, Kind, Reference,
};

/// A day of November 2023.
pub const DAY: i64 = 1_700_000_000_000;

/// What Bo and Dana are and say at a destination.
pub trait Talk {
    /// Their records, to be written first.
    fn people(&self) -> [(Kind, Item); 2] {
        let dana = agent("a1", "Dana Dunn", "Dana@acme.example", vec![], vec![]);
        [
            (Kind::Customer, customer("c1", vec![], bo())),
            (Kind::Agent, dana),
        ]
    }

    /// Bo, with the target where there is one.
    fn bo(&self) -> Reference;

    /// Dana, with the target where there is one.
    fn dana(&self) -> Reference;

    /// A finished conversation: a question and an answer.
    fn talk(&self, id: &str) -> Item {
        let data = Conversation {
            customer: Some(self.bo()),
            subject: Some(format!("subject of {id}")),
            status: ConversationStatus::Closed,
            assignees: vec![self.dana()],
            channels: vec!["email".to_owned()],
            closed_at: Some(DAY + 3_600_000),
            ..Conversation::empty()
        };
        let (bo, dana) = (Author::Person(self.bo()), Author::Person(self.dana()));
        let parts = vec![
            said(&format!("{id}-m1"), bo, "Where is it?", DAY),
            said(&format!("{id}-m2"), dana, "On its way.", DAY + 60_250),
        ];
        thread(id, vec![], data, parts)
    }
}

impl<D: Destination> Talk for Trial<D> {
    fn bo(&self) -> Reference {
        self.known(Reference::new(Kind::Customer, "c1").called("Bo Ng"))
    }

    fn dana(&self) -> Reference {
        self.known(Reference::new(Kind::Agent, "a1").called("Dana Dunn"))
    }
}

/// A customer with addresses and a number.
pub fn bo() -> Customer {
    Customer {
        name: Some("Bo Ng".to_owned()),
        addresses: vec![
            Address {
                primary: true,
                ..Address::new(AddressChannel::Email, "Bo@example.com")
            },
            Address::new(AddressChannel::Email, "bo.ng@work.example"),
            Address::new(AddressChannel::Phone, "+1 555 555 0123"),
        ],
        language: Some("de_ch".to_owned()),
        time_zone: Some("Europe/Zurich".to_owned()),
        ..Customer::empty()
    }
}
