//! A simulated Freshdesk account: the destination of a migration.
//!
//! It behaves as the fact sheet says the vendor does ("Freshdesk facts" in the comments, with its section), strict where the
//! vendor is strict and odd where it is odd. What could not be confirmed is a position of [`Switches`]. Time is the
//! harness's clock: jobs progress, links expire, search catches up, rules run and the trash is emptied only as it moves.
//!
//! # Routes
//! Under `/api/v2`, unless a path begins with `/`. Every call: Basic authentication with the API key as user and any password, or
//! an agent's address and password (§1); `X-RateLimit-*` on every answer (§2); a wrong verb is 405 with `Allow`, a wrong
//! `Content-Type` 415, a wrong `Accept` 406 (§1); unknown attributes are refused (§1). `{id}` is a number. *A*: for account
//! admins only. *L*: a list with `page`, `per_page` ≤100 and a `Link` header (§3).
//!
//! | method and path | what it does | facts |
//! | --- | --- | --- |
//! | `GET agents/me` | who the key belongs to; the test of a credential | §1 |
//! | `GET account` *A* | the account: id, name, domain, plan | [INF] |
//! | `GET settings/helpdesk` | languages | spec |
//! | `GET agents` *L* | by `email`, `mobile`, `phone`, `state` | §7 |
//! | `POST agents` *A* | new agent; licence, invitation mail | §7 |
//! | `POST agents/bulk` *A* | up to 100, as a job | §7 |
//! | `GET`, `PUT` *A*, `DELETE` *A* `agents/{id}` | one agent; deleted means made a contact | §7 |
//! | `GET agents/autocomplete?term=` | ids and names | §3 |
//! | `GET roles`, `roles/{id}` | roles | §7 |
//! | `GET` *L*, `POST` *A* `groups` | groups; name unique | §7 |
//! | `GET`, `PUT` *A*, `DELETE` *A* `groups/{id}` | `agent_ids` is replaced; tickets lose a deleted group | §7 |
//! | the same under `admin/groups` *A* | behind `admin_groups` | §7 |
//! | `GET products`, `email_configs` | one of each | spec |
//! | `GET` *L*, `POST` `contacts` | contacts; 409 with the existing id; list by `email`, `phone`, `mobile`, `company_id`, `unique_external_id`, `state`, `_updated_since` | §3, §6 |
//! | `GET`, `PUT`, `DELETE` `contacts/{id}` | one contact; deletion is soft | §6 |
//! | `PUT contacts/{id}/restore` | back from deletion | §6 |
//! | `DELETE contacts/{id}/hard_delete[?force=true]` | for good, with the contact's tickets | §6, §14 |
//! | `PUT contacts/{id}/make_agent` *A* | a contact with an address becomes an agent | §6 |
//! | `PUT contacts/{id}/send_invite` | mails | §6 |
//! | `POST contacts/merge` | secondaries go into the primary, for good | §6 |
//! | `GET contacts/autocomplete?term=` | ids and names | §3 |
//! | `POST contacts/export`, `GET contacts/export/{id}` | CSV by a job; the link needs no credentials | §6 |
//! | `POST`, `GET` `contacts/imports`, `GET contacts/imports/{id}`, `PUT …/{id}/cancel` | CSV by a job | §6 |
//! | `GET` *L*, `POST` `companies`; `GET`, `PUT`, `DELETE` `companies/{id}`; `autocomplete?name=`, `export`, `imports` | companies; name unique; gone at once | §7 |
//! | `GET`, `POST` *A* `contact_fields`, `company_fields`; `GET`, `PUT` *A*, `DELETE` *A* `…/{id}` | fields of contacts and companies, names without `cf_` | §6, §9 |
//! | the same under `admin/contact_fields`, `admin/company_fields` | by `field_paths` | §9 |
//! | `GET ticket_fields[?type=]` | the agents' view of ticket fields | §9 |
//! | `GET`, `POST` `admin/ticket_fields` *A*; `GET`, `PUT`, `DELETE` `…/{id}` *A* | ticket fields; the `name` is made by the account | §9 |
//! | `GET` *L* `tickets` | `filter`, `requester_id`, `email`, `unique_external_id`, `company_id`, `updated_since`, `order_by`, `order_type`, `include`; 30 days, 300 pages | §3 |
//! | `POST tickets` | 201 and `Location`; JSON or a form with `attachments[]`; makes a contact of an unknown address | §6, §8, §12 |
//! | `GET tickets/{id}[?include=]` | `conversations` (10), `requester`, `company`, `stats`; each costs 2 credits | §2, §12 |
//! | `PUT tickets/{id}` | what is given; files are added | §12 |
//! | `DELETE tickets/{id}`, `PUT tickets/{id}/restore` | into the trash and back | §12, §14 |
//! | `POST tickets/bulk_update` (`PUT` behind a switch), `POST tickets/bulk_delete` | 202 and a job; `skip_close_notification` | §12, §13 |
//! | `GET jobs/{id}` | a job's state | §12 |
//! | `POST tickets/{id}/notes` | note, private unless said | §12 |
//! | `POST tickets/{id}/reply`, `forward`, `reply_to_forward`, `POST tickets/outbound_email` | mails | §12 |
//! | `GET` *L* `tickets/{id}/conversations` | ascending by `created_at` | §12 |
//! | `PUT`, `DELETE` `conversations/{id}` | notes; incoming replies stay | §12 |
//! | `POST`, `GET` `tickets/{id}/satisfaction_ratings`, `GET surveys/satisfaction_ratings` | ratings | §5 |
//! | `GET`, `DELETE` `tickets/archived/{id}`, `GET` *L* `tickets/archived/{id}/conversations` | archived tickets, which live only here | §12 |
//! | `DELETE attachments/{id}` | one file | §8 |
//! | `GET search/tickets`, `search/contacts`, `search/companies` `?query="…"` | 30 a page, 10 pages, 512 characters, with lag | §3 |
//! | `GET custom_objects/schemas`, `schemas/{id}` | schemas, made in the UI only | §11 |
//! | `GET`, `POST` `custom_objects/schemas/{id}/records`; `GET …/records/count`; `GET`, `PUT`, `DELETE` `…/records/{display_id}` | records; token pages, filters, `version` | §11 |
//! | `POST /api/channel/v2/tickets`, `PUT …/tickets/{id}`, `POST …/tickets/{id}/notes`, `…/reply` | the channel API: `import_id`, `created_at`, `updated_at`; [`ChannelApi`] | §0, §12 |
//! | `GET /attachments/production/{id}/original/{name}?…` | a file by its `attachment_url`, without credentials, for a short time | §8 |
//!
//! What the UI alone can do is a method of [`Simulator`]: [`Simulator::make_schema`], [`Simulator::make_lookup_field`],
//! [`Simulator::set_up`], [`Simulator::empty_trash`]; what another user does through the API, [`Simulator::as_owner`].
//!
//! # Defaults
//! A Pro account (400 calls a minute) with all mails on, automation rules, and no channel API. [`Switches`] has the open
//! questions, each with the reading that asks most; the most telling: search lags 3 minutes; `created_at` in the public
//! API is refused; all five of status, priority, source, subject and description must be given; a contact needs a name and an
//! identifier; `company_id` must be the requester's; a repeated `import_id` is a 409; newer field types are not there; tags have
//! 32 characters; a 429 has no body; links are good for 5 minutes and refuse credentials.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `switches` | what a test may choose |
//! | `model`, `state` | content, indexes, the queue of what is due |
//! | `answer`, `body`, `call`, `routes` | answers and errors, reading bodies, one request, the table of routes |
//! | `auth`, `settings` | who calls; what the account is |
//! | `contacts`, `merge`, `companies`, `agents`, `groups`, `fields`, `objects` | the records a migration makes |
//! | `tickets`, `conversations`, `channel`, `files`, `html` | tickets, what is said in them, files |
//! | `lists`, `search`, `jobs`, `csv` | finding, bulk, exports and imports |
//! | `rules` | mails, automation rules, SLA clocks |
//! | `seed`, `snapshot` | what was there before, looking at it all |
//!
//! Not here: solutions, forums, canned responses, time entries, watching, parent and child tickets, merging tickets, the
//! portal, ticket field sections.
