//! A simulated Gorgias account: the destination of a migration.
//!
//! It behaves as the fact sheet says the vendor does ("Gorgias facts" in the comments, with its section), strict where the vendor
//! is strict and odd where it is odd. What could not be confirmed is a position of [`Switches`]. Time is the harness's clock:
//! buckets leak, cursors end, jobs run, mails leave and lists catch up only as it moves.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `switches` | what a test may choose |
//! | `model`, `state` | content, indexes, the queue of what is due |
//! | `answer`, `read`, `call` | shapes of answers, strict reading of bodies, one request, paging |
//! | `auth`, `account` | who calls and what the role and the scopes open; what the account is |
//! | `customers`, `users`, `teams`, `tags`, `fields` | the records a migration makes |
//! | `tickets`, `messages`, `surveys`, `files` | tickets with their messages, satisfaction, uploads |
//! | `jobs`, `search`, `events` | bulk deletion, finding, the trail of events |
//! | `rules` | rules and whatever else of the account acts on its own |
//! | `seed`, `foreign`, `snapshot` | what was there before, what others do, looking at it all |
//!
//! # Calling it
//!
//! `https://acme.gorgias.com/api/…` ([`Config::domain`]), every path with or without a slash at the end (§1). Either HTTP Basic with
//! [`Simulator::admin_email`] and [`Simulator::admin_token`], which is the API key, or a bearer token of an OAuth app,
//! [`Simulator::oauth_token`]. A request has at most 64 MiB; one that makes something answers 201, changes answer 202, deletions 204;
//! answers marked *empty* have no body (§3). An unknown key of a body or of a query is a 400 (§1).
//!
//! Every answer has `X-Gorgias-Account-Api-Call-Limit: used/limit`; a 429 has `Retry-after` (§2). Errors are
//! `{"error":{"msg":…,"data":{field:[…]}}}` (§3).
//!
//! # Routes
//!
//! *paged*: `{"object":"list","uri","data","meta":{"prev_cursor","next_cursor"}}` with `cursor`, `limit` (30, at most 100) and
//! `order_by` (§4).
//!
//! | method and path under `/api` | what it does | section |
//! | --- | --- | --- |
//! | `GET account`, `GET account/settings` | domain, status, settings; the settings paged | §1, §12 |
//! | `GET customers` | paged; filters `external_id`, `email`, `channel_type` with `channel_address`, `name`, `language`, `timezone` | §4 |
//! | `POST customers` | one customer; 409 when an address is taken | §7 |
//! | `GET`, `PUT`, `DELETE customers/{id}` | 301 when merged; `channels` replaces all; deletion takes what [`Switches::customer_deletion`] says | §7, §13 |
//! | `DELETE customers` `{"ids"}` | several, 204 | §13 |
//! | `PUT customers/{id}/data` | replaces the blob, 202 *empty*; an older `version` is dropped in silence | §7 |
//! | `GET`, `PUT customers/{id}/custom-fields` | values, a bare array both ways | §7 |
//! | `PUT`, `DELETE customers/{id}/custom-fields/{field}` | one value | §7 |
//! | `PUT customers/merge?source_id=&target_id=` | irreversible; 409 when both have data of one integration | §7 |
//! | `GET users` | paged; filters `email`, `external_id`, `search`, `roles` | §4, §8 |
//! | `POST users`, `GET`, `PUT`, `DELETE users/{id}` | id 0 is the caller (reading only); a new one is invited by mail | §1, §8 |
//! | `GET teams`, `POST teams`, `GET`, `PUT`, `DELETE teams/{id}` | members replaced as a whole; tickets lose a deleted team | §8 |
//! | `GET tags` | paged; `search` in any case | §4, §8 |
//! | `POST tags`, `GET`, `PUT`, `DELETE tags/{id}`, `DELETE tags` `{"ids"}` | refused when a rule or macro uses it; views that use it are switched off | §8 |
//! | `PUT tags/{id}/merge` `{"source_tags_ids"}` | tickets have the destination's tag | §8 |
//! | `GET custom-fields?object_type=` | paged; `archived`, `search`, `order_by=priority:asc` | §9 |
//! | `POST custom-fields`, `GET`, `PUT custom-fields/{id}`, `PUT custom-fields` | at most 25 and 4 active; `deactivated_datetime` archives, nothing deletes | §9 |
//! | `GET tickets` | paged, without messages; filters `external_id`, `customer_id`, `trashed` | §4 |
//! | `POST tickets` | with 1 to 500 messages, all or nothing | §6 |
//! | `GET tickets/{id}` | with messages; `relationships=custom_fields` for the values | §6 |
//! | `PUT tickets/{id}` | partial; `tags` and `custom_fields` replace the set; never `created_datetime` | §6 |
//! | `DELETE tickets/{id}` | permanent, with messages and survey | §13 |
//! | `GET messages` | paged; filter `ticket_id` | §4 |
//! | `GET`, `POST tickets/{id}/messages` | the deprecated list, paged; one more message | §6 |
//! | `GET`, `PUT`, `DELETE tickets/{id}/messages/{message}` | `PUT` wants `channel`, `from_agent`, `via`; the deletion answers 200 *empty* | §6, §13 |
//! | `GET tickets/{id}/tags` | `{"data":[…]}`, not paged | §4 |
//! | `POST`, `PUT`, `DELETE tickets/{id}/tags` `{"ids","names"}` | adds (201 *empty*), replaces (202 *empty*), takes away (204) | §6 |
//! | `GET`, `PUT tickets/{id}/custom-fields` | `{"data":[…]}`; a bare array in | §4, §6 |
//! | `PUT`, `DELETE tickets/{id}/custom-fields/{field}` | one value | §6 |
//! | `GET satisfaction-surveys` | paged; filters `ticket_id`, `customer_id` | §9 |
//! | `POST satisfaction-surveys`, `GET`, `PUT satisfaction-surveys/{id}` | one for a ticket; `PUT` replaces all | §9 |
//! | `POST upload?type=` | multipart, a file for each part, the part's name being the file's label; a bare array of files | §9 |
//! | `GET {type}/download/{domain hash}/{name}` | the bytes, with credentials | §9 |
//! | `GET /attachments/{domain hash}/{name}` (not under `/api`) | the bytes of a public file, without credentials | §9 |
//! | `POST search` `{"type","query","size"}` | a bare array, or `{"data"}`; lags | §4 |
//! | `POST jobs`, `GET jobs`, `GET jobs/{id}`, `DELETE jobs/{id}` | `deleteTicket`, asynchronous; the last one asks to cancel | §13 |
//! | `GET rules`, `GET`, `PUT rules/{id}` | what fires on import; `deactivated_datetime` pauses | §12 |
//! | `GET events` | paged; filters `object_type`, `object_id`, `types` | §12 |
//! | `GET integrations`, `GET integrations/{id}`, `GET macros`, `GET views` | what else is there; `type` filters integrations | §8, §12 |
//!
//! Any other method of a known path is a 405, any other path a 404.
//!
//! # What happens unless it is prevented
//!
//! | what | when | where it shows | section |
//! | --- | --- | --- | --- |
//! | a message is sent | `from_agent`, not a note, no `sent_datetime` | outbox `message` | §6 |
//! | agents are notified | `mention_ids` | outbox `mention` | §6 |
//! | a customer is made | `sender` or `customer` with an unknown e-mail address | customers | §6 |
//! | a tag is made | an unknown name on a ticket | tags | §6 |
//! | rules run | ticket made, message made, ticket changed | automation log `rule`, outbox `auto-reply` | §12 |
//! | a closed ticket is opened | a customer's message is added | the ticket | §6 |
//! | a survey is sent | a ticket that an agent answered is closed, while the account sends surveys; `should_send_datetime` | outbox `survey` | §9, §12 |
//! | a user is invited | `POST users` | outbox `invitation` | §8 |
//! | a webhook fires | an HTTP integration is active | outbox `webhook` | §12 |
//! | the rest of [`Services`] | as it says there | automation log | §12 |
//!
//! # Switches
//!
//! [`Switches`] documents each with its section; the defaults that a connector meets first:
//!
//! | switch | default |
//! | --- | --- |
//! | [`Switches::time_form`] | customers, users, teams, tags without a zone, everything else with `+00:00` |
//! | [`Switches::subseconds_kept`] | off: times sent are cut to whole seconds |
//! | [`Switches::customer_create_refuses`] | nothing: `note`, `meta`, `custom_fields`, `firstname`, `lastname` are taken on creation |
//! | [`Switches::email_filter_any_channel`] | off: `GET customers?email=` looks at the main address only |
//! | [`Switches::customer_deletion`] | the customer's tickets are deleted too |
//! | [`Switches::unknown_field_value`] | a value for a field that does not exist is dropped in silence |
//! | [`Switches::dropdown_enforced`] | on: a value that is no choice is a 400 |
//! | [`Switches::unknown_tag`] | made |
//! | [`Switches::job_deletion`] | a job only puts tickets into the trash |
//! | [`Switches::list_lag`], [`Switches::search_lag`] | none; one minute |
//! | [`Switches::upload_max_bytes`] | 25 MiB a file |
//!
//! Not here: macros and views beyond a list, phone and chat widgets, help center, statistics, billing.

mod switches;

pub use switches::{
    Config, CustomerDeletion, JobDeletion, Preexisting, RateForm, Services, Switches, TimeForm,
    UnknownFieldValue, UnknownTag,
};
