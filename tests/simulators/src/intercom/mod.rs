//! A simulated Intercom workspace: the destination of a migration.
//!
//! It behaves as the fact sheet says the vendor does ("Intercom facts" in the comments, with its section), strict where the vendor
//! is strict and odd where it is odd. What could not be confirmed is a position of [`Switches`]. Time is the harness's clock:
//! windows end, indexes catch up, jobs run, companies are archived and links end only as it moves. Times of the API are whole
//! Unix seconds (§1).
//!
//! | file | what it owns |
//! | --- | --- |
//! | `switches` | what a test may choose |
//! | `model`, `state` | content, indexes, the queue of what is due |
//! | `answer`, `read`, `call` | shapes of answers, strict reading of bodies, one request, paging |
//! | `auth` | who calls, scopes, versions, regions |
//! | `admins`, `contacts`, `companies`, `tags`, `notes` | people and what hangs on them |
//! | `attributes`, `values` | data attributes, conversation attributes, values of both |
//! | `objects` | instances of custom objects |
//! | `conversations`, `parts`, `files`, `html` | conversations, their parts, attachments, texts |
//! | `tickets`, `ticket_types` | tickets, their types, the job that makes one |
//! | `search` | the three searches |
//! | `rules` | workflows, webhooks and whatever else of the workspace acts on its own |
//! | `seed`, `foreign`, `snapshot` | what was there before, what others do, looking at it all |
//!
//! # Calling it
//!
//! `https://api.intercom.io`, `https://api.eu.intercom.io` or `https://api.au.intercom.io` ([`Config::region`]), with
//! `Authorization: Bearer` [`Simulator::admin_token`] and `Intercom-Version: 2.16` (§1). Without the version header the version of
//! the app counts ([`Config::app_version`]). A body is JSON; nearly every success is 200, creations too (§3). Errors are
//! `{"type":"error.list","request_id":…,"errors":[{"code","message","field"}]}` (§3).
//!
//! Every answer to known credentials has `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset`, a Unix second;
//! windows are 10 seconds of the wall clock, and a 429 has no `Retry-After` (§2). [`Config::path_limits`] adds limits of single
//! paths.
//!
//! Ids: contacts and companies 24 hexadecimal digits, everything else a decimal in a string, attributes a number (§1).
//!
//! # Routes
//!
//! *cursor*: `per_page` and `starting_after`, `pages.next.starting_after` (§4). *paged*: `page` and `per_page`, `pages.next` an
//! address or null (§4). *search*: `query`, `pagination`, `sort` in the body (§4).
//!
//! | method and path | what it does | section |
//! | --- | --- | --- |
//! | `GET /me` | the admin of the token, with the workspace under `app`: `id_code`, `region`, `timezone` | §1 |
//! | `GET /admins`, `GET /admins/{id}`, `GET /teams`, `GET /teams/{id}` | not paged; nothing makes one | §7 |
//! | `GET /contacts` | cursor, 50, at most 150; archived ones are left out | §4 |
//! | `POST /contacts` | 409 for a user with the same e-mail or external id; leads are never compared | §6 |
//! | `GET /contacts/{id}`, `GET /contacts/find_by_external_id/{external_id}` | 410 with `Link` when merged; the second finds users only | §6 |
//! | `PUT /contacts/{id}` | partial; custom attributes must exist, relationship attributes replace | §6 |
//! | `DELETE /contacts/{id}` | for good, with the conversations | §6 |
//! | `POST /contacts/{id}/archive`, `/unarchive`, `/block` | hidden, back, blocked | §6 |
//! | `POST /contacts/merge` | `from` a lead `into` a user, irreversible | §6 |
//! | `POST /contacts/search` | search; lags; dates are days of the workspace's timezone | §4 |
//! | `GET`, `POST /contacts/{id}/companies`, `DELETE /contacts/{id}/companies/{company}` | by Intercom's own id; at most 1,000 | §6 |
//! | `GET`, `POST /contacts/{id}/notes`, `GET /notes/{id}` | no time can be given, nothing deletes one; paged | §9 |
//! | `GET`, `POST /contacts/{id}/tags`, `DELETE /contacts/{id}/tags/{tag}` | by the tag's id | §9 |
//! | `GET /contacts/{id}/segments`, `GET`, `POST /contacts/{id}/subscriptions` | what is there; always empty but for the segments | §6 |
//! | `POST /companies` | makes or changes by `company_id`, both 200; an unknown key is a 400 | §7 |
//! | `GET /companies?company_id=`, `?name=` | one company, or a list with one ([`Switches::company_lookup_listed`]) | §7 |
//! | `GET /companies?tag_id=`, `?segment_id=`, no filter | paged, without those nobody belongs to | §7 |
//! | `GET`, `PUT`, `DELETE /companies/{id}` | the deletion archives, some time later | §7 |
//! | `GET /companies/{id}/contacts`, `GET`, `POST /companies/{id}/notes`, `GET /companies/{id}/segments` | paged | §7 |
//! | `POST /companies/list`, `GET /companies/scroll` | paged, at most 10,000; one scroll at a time, open for a minute | §2, §4 |
//! | `GET /data_attributes?model=&include_archived=`, `POST`, `PUT /data_attributes/{id}` | names unique over both models, 250, archived not deleted | §9 |
//! | `GET`, `POST /conversations/attributes`, `GET`, `PUT`, `DELETE /conversations/attributes/{id}` | since 2.16; the deletion archives | §9 |
//! | `POST /conversations/attributes/{id}/options`, `PUT`, `DELETE …/options/{option}` | of a list | §9 |
//! | `GET /tags`, `POST /tags`, `GET`, `DELETE /tags/{id}` | the same name in any case is the same tag; refused when a segment uses it | §9 |
//! | `POST`, `GET`, `DELETE /custom_object_instances/{type}?external_id=` | upsert; 404 for a type that nobody made in the settings | §9 |
//! | `GET`, `DELETE /custom_object_instances/{type}/{id}` | by id or external id | §9 |
//! | `GET /conversations` | cursor, 20, at most 150 | §4 |
//! | `POST /conversations` | by a contact, plain text; answers a message with `conversation_id` | §8.1 |
//! | `GET /conversations/{id}` | with the 500 newest parts | §8.2 |
//! | `PUT /conversations/{id}` | `read`, `title`, `company_id`, `custom_attributes` | §8.3 |
//! | `DELETE /conversations/{id}?retain_metrics=` | for good; `false` needs the scope `delete_conversations_and_metrics` | §8.5 |
//! | `GET /conversations/deleted` | paged, at most 60 | §8.5 |
//! | `POST /conversations/search` | search; no custom attributes | §4 |
//! | `POST /conversations/{id}/reply` | contact or admin, comment or note; the whole conversation comes back; `last` is the contact's last one | §8.2 |
//! | `POST /conversations/{id}/parts` | close, snooze, open, assign; no time can be given | §8.3 |
//! | `POST /conversations/{id}/customers`, `DELETE …/customers/{contact}` | an unknown e-mail makes a lead; the last one is a 422 | §8.3 |
//! | `POST /conversations/{id}/tags`, `DELETE …/tags/{tag}` | with `admin_id` | §9 |
//! | `POST /conversations/redact`, `POST /conversations/{id}/convert` | blanks a part; makes a customer ticket of it | §8.3, §8.5 |
//! | `POST /tickets`, `GET`, `PUT`, `DELETE /tickets/{id}` | one contact; the attributes travel with the creation | §8.4 |
//! | `POST /tickets/{id}/reply` | answers the part | §8.4 |
//! | `POST /tickets/{id}/tags`, `DELETE …/tags/{tag}` | with `admin_id` | §9 |
//! | `POST /tickets/search` | search; `ticket_attribute.{id}` | §4 |
//! | `POST /tickets/enqueue`, `GET /jobs/status/{id}` | the same later | §8.4 |
//! | `GET`, `POST /ticket_types`, `GET`, `PUT /ticket_types/{id}` | archived, not deleted | §8.4 |
//! | `POST /ticket_types/{id}/attributes`, `PUT …/attributes/{attribute}` | | §8.4 |
//! | `GET /ticket_states`, `GET /segments`, `GET /subscription_types`, `GET /brands`, `GET /macros` | what else is there | §5, §8.4 |
//! | `POST /messages` | really mails | §11 |
//! | `GET /i/o/{file}/{name}` (no API: the host of downloads) | an attachment, by an address that ends | §8.2 |
//!
//! Any other path or method is a 404.
//!
//! # What happens unless it is prevented
//!
//! | what | when | where it shows | section |
//! | --- | --- | --- | --- |
//! | the contact is notified, by mail too | an admin's comment without `skip_notifications` | outbox `messenger`, `email` | §11 |
//! | the same | `body` of a close or an assignment; a ticket made, changed or answered without `skip_notifications` | outbox | §11 |
//! | a mail is sent | `POST /messages` | outbox `email` | §11 |
//! | a teammate is notified | assignment | outbox `teammate` | §11 |
//! | a webhook fires | contacts, companies, conversations and tickets are made or change | outbox `webhook` | §11 |
//! | workflows, Fin, assignment rules, an SLA | a contact writes | automation log; parts of a bot | §11 |
//! | a contact is made | a ticket or a conversation names an unknown e-mail | contacts, `by_product` | §8.3, §8.4 |
//! | a closed conversation opens | a contact's reply, an admin's too; the part is an `open`, not a `comment` | the conversation | §8.2 |
//!
//! What other people do meanwhile is done by methods of [`Simulator`]: [`Simulator::contact_writes`],
//! [`Simulator::edit_conversation`], [`Simulator::edit_contact`], [`Simulator::merge_contacts`] and others. What only the user
//! interface can make, types of custom objects and references, is made by [`Simulator::add_object_type`].
//!
//! # Switches
//!
//! [`Switches`] documents each with its section; the defaults that a connector meets first:
//!
//! | switch | default |
//! | --- | --- |
//! | [`Switches::search_lag`] | one minute, for all three searches |
//! | [`Switches::messaging_lag`] | none: a new contact can start a conversation at once |
//! | [`Switches::unknown_keys_refused`] | on: a 400 "bad 'x' parameter"; companies refuse either way |
//! | [`Switches::company_lookup_listed`] | off: `GET /companies?company_id=` answers the company itself |
//! | [`Switches::company_revived`] | on: `POST` with the `company_id` of an archived one brings it back |
//! | [`Switches::long_text`] | a text of more than 255 characters in a data attribute is refused |
//! | [`Switches::contact_reply_html`] | off: markup in a contact's reply is shown as text |
//! | [`Switches::admin_reply_reopens`] | on |
//! | [`Switches::same_state_refused`] | on: closing a closed conversation is a 400 |
//! | [`Switches::outsider_replies`] | a contact who takes no part in a conversation cannot reply to it |
//! | [`Switches::part_order`] | by `created_at`, then by id |
//! | [`Switches::write_limit`] | none: more than 500 parts can be written |
//! | [`Switches::automations_on_api`] | on: what the API makes sets off workflows and webhooks |
//!
//! Not here: articles, calls, visitors, events, exports, news, Fin's own API, bulk contacts and whatever else is in the version
//! `Preview` only.
