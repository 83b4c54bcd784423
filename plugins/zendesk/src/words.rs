//! References and values in words, as the SDK says them, with the addresses of this account.

use transload_sdk::types::Kind;
pub use transload_sdk::words::{Words, author, called, person};

/// For the account `https://{subdomain}.zendesk.com`; without links where the subdomain is not known. Records of objects and
/// groups are not linked: records are named by each other while they are made, in an order that differs from run to run.
pub fn of_account(subdomain: &str, zone: &str) -> Words {
    if subdomain.is_empty() {
        return Words::new([], zone);
    }
    let pages = [
        (Kind::Agent, "users"),
        (Kind::Customer, "users"),
        (Kind::Company, "organizations"),
        (Kind::Conversation, "tickets"),
        (Kind::Message, "tickets"),
    ];
    let site = |(kind, page)| {
        (
            kind,
            format!("https://{subdomain}.zendesk.com/agent/{page}/"),
        )
    };
    Words::new(pages.map(site), zone)
}
