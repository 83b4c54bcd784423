//! Simulators of helpdesk platforms, for tests, demos and benches.
//!
//! Every platform is an HTTP service that behaves as the vendor's does where a connector can see it: authentication,
//! validation, limits, paging, odd shapes and delays. What the vendor's documentation leaves open is a switch.
//!
//! * [`common`] holds what all simulators share: clock, rate limits, faults on demand, a recorder of requests, an
//!   outbox, the server, and the check against a vendor's OpenAPI document.
//! * [`freshdesk`] is a destination.
//! * [`gorgias`] is a destination.
//! * [`hubspot`] is a destination, an account with Service Hub.
//! * [`intercom`] is a destination.
//! * [`kustomer`] is a source: a seeded world of conversations that can be read and searched.
//! * [`salesforce`] is a destination, an org with Service Cloud.
//! * [`zendesk`] is a destination.
//! * [`zoho_desk`] is a destination.
//!
//! A simulator is used from a test through its router, without a socket, or served on the loopback interface. Not
//! here: anything about the programs that talk to a simulator.

pub mod common;
pub mod freshdesk;
pub mod gorgias;
pub mod hubspot;
pub mod intercom;
pub mod kustomer;
pub mod salesforce;
pub mod zendesk;
pub mod zoho_desk;
