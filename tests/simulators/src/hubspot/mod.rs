//! A simulated HubSpot account with Service Hub: the destination of a migration.
//!
//! It behaves as the fact sheet says the vendor does ("HubSpot facts" in the comments, with its section), strict where the
//! vendor is strict and odd where it is odd. What could not be confirmed is a position of [`Switches`]. Time is the harness's
//! clock: search catches up, windows of limits open, signed addresses and tokens end only as it moves. No description of the
//! vendor's API is at hand to check it against: the collection that HubSpot publishes is not licensed for that.
//!
//! # Routes
//!
//! Every route is served under its old path and under the dated ones, from one implementation; `{d}` is `2026-03` or `2026-09`
//! (§1.2). `{t}` is an object's name (`contacts`, `tickets`, `p_order`, `p1234_order`) or its type id (`0-5`, `2-1000001`).
//!
//! | method | old path | dated path | what it does | § |
//! | --- | --- | --- | --- | --- |
//! | GET | `/account-info/v3/details` | `/account-info/{d}/details` | portal, type, time zone, data centre | 1.1 |
//! | GET | `/account-info/v3/api-usage/daily/private-apps` | `/account-info/{d}/api-usage/daily/private-apps` | calls of the day, when it ends | 1.1, 2 |
//! | POST | `/oauth/v1/token` | `/oauth/{d}/token` | access token for a refresh token; form body, no credential | 1.1 |
//! | POST | – | `/oauth/{d}/token/introspect`, `…/revoke` | what a token is; ends a refresh token | 1.1 |
//! | GET | `/crm/v3/owners`, `…/{id}` | `/crm/owners/{d}`, `…/{id}` | owners by e-mail, archived ones, one by `idProperty` | 15 |
//! | GET, POST | `/settings/v3/users` | – | users; POST invites one by mail | 4 |
//! | GET | `/settings/v3/users/teams` | – | teams | 4 |
//! | GET | `/crm/v3/limits/records` | `/crm/limits/{d}/records` | records an object type may have, and has | 5 |
//! | GET | `/crm/v3/limits/custom-properties` | `/crm/limits/{d}/custom-properties` | custom properties likewise | 5 |
//! | GET | `/crm/v3/limits/custom-object-types` | `/crm/limits/{d}/custom-object-types` | custom objects likewise | 5 |
//! | GET | `/crm/v3/limits/pipelines` | `/crm/limits/{d}/pipelines` | pipelines likewise | 5 |
//! | GET | `/crm/v3/limits/associations/records/{t}/{t2}` | `/crm/limits/{d}/associations/records/{t}/{t2}` | links a record may have | 5 |
//! | GET | `/crm/v3/property-validations/{t}` | `/crm/property-validations/{d}/{t}` | rules an admin has set | 5 |
//! | GET, POST | `/crm/v3/properties/{t}` | `/crm/properties/{d}/{t}` | properties, one more (201) | 10.1 |
//! | GET, PATCH, DELETE | `/crm/v3/properties/{t}/{name}` | `/crm/properties/{d}/{t}/{name}` | one; options are replaced as a whole; archiving | 10.1 |
//! | POST | `/crm/v3/properties/{t}/batch/{create,read,archive}` | `/crm/properties/{d}/{t}/batch/…` | ≤ 100 at once; create is 201/207, dated 200 | 10.1 |
//! | GET, POST | `/crm/v3/properties/{t}/groups` | `/crm/properties/{d}/{t}/groups` | groups | 10.1 |
//! | GET, PATCH, DELETE | `/crm/v3/properties/{t}/groups/{name}` | `/crm/properties/{d}/{t}/groups/{name}` | one group | 10.1 |
//! | GET, POST | `/crm/v3/pipelines/{t}` | `/crm/pipelines/{d}/{t}` | pipelines with stages | 7 |
//! | GET, PATCH, PUT, DELETE | `/crm/v3/pipelines/{t}/{id}` | `/crm/pipelines/{d}/{t}/{id}` | one; `validateReferencesBeforeDelete` | 7 |
//! | GET, POST | `/crm/v3/pipelines/{t}/{id}/stages` | `/crm/pipelines/{d}/{t}/{id}/stages` | stages | 7 |
//! | GET, PATCH, DELETE | `/crm/v3/pipelines/{t}/{id}/stages/{stage}` | `/crm/pipelines/{d}/{t}/{id}/stages/{stage}` | one stage | 7 |
//! | GET, POST | `/crm/v3/schemas`, `/crm-object-schemas/v3/schemas` | `/crm-object-schemas/{d}/schemas` | custom objects (Enterprise), one more (201) | 11 |
//! | GET, PATCH, DELETE | `…/schemas/{t}` | `…/schemas/{t}` | one; DELETE archives, `?archived=true` ends it; both refuse what is in use | 11 |
//! | POST, DELETE | `…/schemas/{t}/associations`, `…/{id}` | the same | one more pair of objects to link | 11 |
//! | GET, POST | `/crm/v3/objects/{t}` | `/crm/objects/{d}/{t}` | list; one record with links (201) | 6 |
//! | GET, PATCH, DELETE | `/crm/v3/objects/{t}/{id}` | `/crm/objects/{d}/{t}/{id}` | one, by `idProperty` too; DELETE archives (204) | 6 |
//! | POST | `/crm/v3/objects/{t}/batch/create` | `/crm/objects/{d}/{t}/batch/create` | ≤ 100; all or nothing, 207 with trace ids | 3.3 |
//! | POST | `/crm/v3/objects/{t}/batch/read` | `/crm/objects/{d}/{t}/batch/read` | ≤ 100 by id or unique property; 207 with those missing | 3.3 |
//! | POST | `/crm/v3/objects/{t}/batch/update` | `/crm/objects/{d}/{t}/batch/update` | ≤ 100 | 3.3 |
//! | POST | `/crm/v3/objects/{t}/batch/upsert` | `/crm/objects/{d}/{t}/batch/upsert` | ≤ 100 by a unique property; `new` | 3.3 |
//! | POST | `/crm/v3/objects/{t}/batch/archive` | `/crm/objects/{d}/{t}/batch/archive` | ≤ 100; 204 | 3.3 |
//! | POST | `/crm/v3/objects/{t}/search` | `/crm/objects/{d}/{t}/search` | search: lags, 5 a second, 10,000 rows | 14 |
//! | POST | `/crm/v3/objects/contacts/gdpr-delete` | `/crm/objects/{d}/contacts/gdpr-delete` | for good; blocks addresses nobody has | 0.7, 6 |
//! | POST | `/crm/v3/objects/{t}/merge` | `/crm/objects/{d}/{t}/merge` | contacts, companies, tickets | 6 |
//! | PUT | `/crm/v4/objects/{t}/{id}/associations/default/{t2}/{id2}` | `/crm/objects/{d}/…` | the plain link (200) | 9 |
//! | PUT, DELETE | `/crm/v4/objects/{t}/{id}/associations/{t2}/{id2}` | `/crm/objects/{d}/…` | labels of a link (201); all links of the pair (204) | 9 |
//! | GET | `/crm/v4/objects/{t}/{id}/associations/{t2}` | `2026-03` only | links of a record, ≤ 500 | 9 |
//! | POST | `/crm/v4/associations/{t}/{t2}/batch/create` | `/crm/associations/{d}/{t}/{t2}/batch/create` | ≤ 2,000 with types; 201/207, dated 200 | 9 |
//! | POST | `…/batch/associate/default` | the same | ≤ 2,000 plain links; 200 | 9 |
//! | POST | `…/batch/read` | the same | ≤ 1,000 records' links; 200/207 | 9 |
//! | POST | `…/batch/archive` | the same | ends all links of pairs; 204, dated 200 with a body | 9 |
//! | POST | `…/batch/labels/archive` | the same | ends single labels; 204, dated 200 with a body | 9 |
//! | GET, POST, PUT | `/crm/v4/associations/{t}/{t2}/labels`, `/crm/associations/v4/…` | `/crm/associations/{d}/{t}/{t2}/labels` | types of links; one more with its inverse; new words | 9 |
//! | DELETE | `…/labels/{typeId}` | the same | ends a label | 9 |
//! | POST | `/files/v3/files` | `/files/2026-03/files` | upload, multipart (201) | 12 |
//! | GET, PATCH, DELETE | `/files/v3/files/{id}` | `/files/2026-03/files/{id}` | one; DELETE hides it | 12 |
//! | DELETE | `/files/v3/files/{id}/gdpr-delete` | `/files/2026-03/…` | erased within seven days | 12 |
//! | GET | `/files/v3/files/{id}/signed-url` | `/files/2026-03/…` | an address that ends | 12 |
//! | GET | `/files/v3/files/search`, `/files/v3/files/stat/{path}` | `/files/{d}/…` | files by path or name; one file or folder by path | 12 |
//! | POST, GET | `/files/v3/files/import-from-url/async`, `…/tasks/{id}/status` | `/files/{d}/…` | fetch from an address; how far it is | 12 |
//! | GET, POST | `/files/v3/folders`, `…/{id}`, `…/search` | `/files/{d}/folders…` | folders | 12 |
//! | DELETE | `/files/v3/folders/{id}` | `/files/{d}/folders/{id}` | an empty folder | 12 |
//! | GET | `/hubfs/{portal}/{path}`, `/filemanager/signed/{token}` | – | bytes of a public file; bytes by a signed address; no credential | 12 |
//! | GET | `/conversations/v3/conversations/inboxes`, `…/channels`, `…/actors/{id}` | `/conversations/conversations/{d}/…` | the inbox | 13 |
//! | GET | `/conversations/v3/conversations/threads`, `…/{id}`, `…/{id}/messages` | the same | threads and what is in them | 13 |
//! | POST | `…/threads/{id}/messages` | the same | COMMENT is internal, MESSAGE is **sent** | 13 |
//! | PATCH, DELETE | `…/threads/{id}` | the same | status, out of the trash; into the trash | 13 |
//! | POST | `/conversations/v3/custom-channels/{channel}/messages` | `/conversations/custom-channels/{d}/…` | a message with its own time and idempotency id | 13 |
//!
//! Anything else is 404, a known path with another method 405.
//!
//! # What differs in the dated versions
//!
//! Batches of associations and `properties/batch/create` answer 200; `batch/archive` of associations answers a body; 2026-09 has
//! no list of a record's links, no upload, read or deletion of a single file, and enforces what an admin has set: properties
//! required on create, property validations (§1.2). Whether 2026-03 has the codes of 2026-09 is [`Switches::new_codes_in_2026_03`].
//!
//! # Who sees what
//!
//! Headers: `Authorization: Bearer pat-…`. [`Simulator::admin_token`] is a service key with all scopes a load needs (§1.1);
//! [`Simulator::token_with`] one with others. Every answer but a search's carries the headers of limits (§2).
//!
//! By-products land in the harness: mails in [`Account::outbox`](crate::common::Account::outbox), workflows, pipeline
//! automation, SLA and auto-made companies in [`Account::automation_log`](crate::common::Account::automation_log) (§19).
//!
//! # Switches
//!
//! [`Config`] says what account there is, [`Preexisting`] what is in it, [`Switches`] how it behaves where the facts leave it open,
//! each with its default and section.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `switches` | what a test may choose |
//!
//! Not here: deals' and quotes' rules, marketing, lists, imports of CSV, webhooks, the knowledge base, workflows as an API.

mod switches;

pub use switches::{
    ArchivedOwner, Config, EmailUpsert, OauthClient, Plan, Preexisting, Switches, TicketTimes,
};
