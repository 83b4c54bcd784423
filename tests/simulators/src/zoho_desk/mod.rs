//! A simulated Zoho Desk portal: the destination of a migration.
//!
//! It behaves as the fact sheet says the vendor does ("Zoho Desk facts" in the comments, with its section), strict where the vendor
//! is strict and odd where it is odd. What could not be confirmed is a position of [`Switches`]. Time is the harness's clock: tokens
//! end, imports run, the search index catches up, the recycle bin empties only as it moves.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `switches` | what a test may choose |
//! | `model`, `state` | content, indexes, the queue of what is due |
//! | `answer`, `read`, `call`, `routes` | shapes of answers, strict reading of bodies, one request, paging, the table of routes |
//! | `auth` | the token endpoint, who calls and what scopes and profile open |
//! | `schema`, `fields`, `modules` | standard fields and their limits; custom fields, layouts, statuses; custom modules |
//! | `records` | what accounts, contacts, tickets, activities and custom records have in common |
//! | `contacts`, `tickets`, `comments`, `threads`, `tags`, `files` | the records a migration makes, and what hangs on them |
//! | `agents`, `departments` | agents; departments, teams, channels |
//! | `imports` | the import API: queue, external ids, mappings, error log |
//! | `search`, `bin` | finding; the recycle bin |
//! | `rules` | mails and rules that fire unless they are prevented |
//! | `seed`, `foreign`, `snapshot` | what was there before, what others do, looking at it all |
//!
//! # Calling it
//!
//! `https://desk.zoho.com/api/v1/…` with `Authorization: Zoho-oauthtoken {token}` (never `Bearer`) and `orgId: {number}`, which may
//! be a query parameter instead (§1); only `organizations` and `accessibleOrganizations` go without it. The accounts server is the
//! same address: `POST /oauth/v2/token`. [`Simulator::admin_token`] is a live access token of an administrator with every scope,
//! [`Simulator::refresh_token`] gives new ones, [`Config::client`] is the OAuth client, [`Simulator::org_id`] the portal.
//!
//! Ids are decimal strings of 18 digits, beyond what a double holds (§1); a request may write them as strings or as whole numbers.
//! Times are `2026-11-23T09:00:00.000Z`; another offset is refused (§1). Every answer has `X-Rate-Limit-Request-Weight-v3` and
//! `X-Rate-Limit-Remaining-v3`; a 429 has `Retry-After` in seconds: `THRESHOLD_EXCEEDED` when the day's credits are gone,
//! `TOO_MANY_REQUESTS` when too many calls are under way (§3). Errors are `{"errorCode","message"}`, with `errors` of
//! `{"fieldName": JSON pointer,"errorType","errorMessage"}` for `INVALID_DATA` (§5). An unknown key or query parameter is a 422
//! `UNPROCESSABLE_ENTITY`; an unknown record a 404 `URL_NOT_FOUND`; an empty body a 422 `EMPTY_PAYLOAD`.
//!
//! # Routes
//!
//! *paged*: `{"data":[…]}` with `from` (0-based, [`Switches::from_one_based`]) and `limit`; **204 without a body when there is
//! nothing** (§4). *mass*: 200 with `{"results":[{"success","id","errors"}]}` even when items failed (§5). *empty*: no body.
//!
//! | method and path under `/api/v1` | what it does | section |
//! | --- | --- | --- |
//! | `POST /oauth/v2/token` (not under `/api/v1`) | `refresh_token`, `authorization_code`, `client_credentials`; in query or form; **errors are 200** | §2 |
//! | `POST /oauth/v2/token/revoke` (not under `/api/v1`) | ends a refresh token with its access tokens | §2 |
//! | `GET organizations`, `organizations/{id}`, `accessibleOrganizations` | the portal | §1 |
//! | `GET myinfo` | the agent of the token | §7.3 |
//! | `GET tickets` | paged; `departmentId`, `status`, `assignee`, `channel`, `sortBy`, `include` | §7.5 |
//! | `POST tickets` | a ticket, made now by the caller; `description` becomes its first thread | §7.5 |
//! | `GET`, `PATCH tickets/{id}` | `PATCH` is partial; a trashed one is shown with `isTrashed`, and not changed | §7.5, §12 |
//! | `GET contacts/{id}/tickets`, `accounts/{id}/tickets`, `accounts/{id}/contacts` | paged; `sortBy=-createdTime`; no lag | §12 |
//! | `POST tickets/moveToTrash` `{"ticketIds"}`, `contacts/moveToTrash` `{"contactIds"}`, `accounts/moveToTrash` `{"accountIds"}` | 204 *empty*, at most [`Switches::trash_max_ids`] | §1, §12 |
//! | `POST tickets/markSpam`, `tickets/deleteSpam`, `tickets/emptySpam`, `closeTickets` | mass; the second cannot be undone, the third is a 202 *empty* | §7.5 |
//! | `POST tickets/updateMany` `{"ids","fieldName","fieldValue","isCustomField"}` | 204 *empty* | §7.5 |
//! | `POST tickets/{id}/move?departmentId=`, `tickets/{id}/markAsRead`, `tickets/{id}/merge` `{"ids","source"}` | 200 | §7.5 |
//! | `PATCH tickets/{id}/resolution` `{"content","isNotifyContact"}` | 200 | §7.5 |
//! | `GET tickets/archivedTickets?departmentId=` | paged | §4 |
//! | `GET tickets/{id}/comments` | paged, 50 at first; `sortBy`, `include` | §7.6 |
//! | `POST tickets/{id}/comments` | 200; by the caller, now | §7.6 |
//! | `GET`, `PATCH`, `DELETE tickets/{id}/comments/{id}`, `GET …/history` | the deletion is 200 *empty* | §7.6 |
//! | `GET tickets/{id}/threads` | newest first unless `sortBy=sendDateTime`; content cut | §7.7 |
//! | `GET tickets/{id}/threads/{id}`, `…/fullContent`, `…/originalContent`, `tickets/{id}/latestThread` | one thread, whole | §7.7 |
//! | `GET tickets/{id}/conversations` | paged up to 200; threads and comments, newest first, told apart by `type` | §7.7 |
//! | `POST tickets/{id}/sendReply` | **sends a mail** | §7.7, §14 |
//! | `POST tickets/{id}/draftReply`, `PATCH`, `DELETE tickets/{id}/draftReply/{id}` | a draft | §7.7 |
//! | `POST tickets/{id}/associateTag`, `tickets/{id}/dissociateTag` `{"tags":[names]}` | unknown tags are made, in the ticket's department | §7.8 |
//! | `GET tickets/{id}/tags`, `ticketTags?departmentId=`, `tags/search?departmentId=&searchVal=`, `tags/{id}/tickets` | `{"data":[{"id","name"}]}` | §7.8 |
//! | `PATCH tags/{id}/replace` `{"id"}` | 204 *empty* | §7.8 |
//! | `POST tickets/{id}/attachments?isPublic=` | multipart, one part `file` | §7.8 |
//! | `GET tickets/{id}/attachments`, `PATCH`, `DELETE tickets/{id}/attachments/{id}`, `GET …/content` | the last is what `href` says | §7.8 |
//! | `POST uploads`, `GET uploads/{id}/contents` | a temporary file, to be used once in `uploads` or `attachmentIds` | §7.8 |
//! | `GET contacts`, `POST contacts`, `GET`, `PATCH contacts/{id}`, `GET contacts/contactsByIds?ids=` | | §7.1 |
//! | `GET contacts/{id}/accounts`, `POST contacts/{id}/associateAccounts`, `contacts/{id}/dissociateAccounts` | mass | §7.1 |
//! | `PATCH contacts/{id}/accounts/{id}/dissociate` | what becomes of the tickets is told by `option` | §7.1 |
//! | `POST contacts/markSpam`, `contacts/deleteSpam`, `contacts/{id}/merge`, `contacts/{id}/inviteAsEndUser` | the last one **mails** | §7.1 |
//! | `GET accounts`, `POST accounts`, `GET`, `PATCH accounts/{id}` | | §7.2 |
//! | `GET agents` | paged up to 200; `searchStr` with `fieldName`, `status`, `isConfirmed`, `isLightAgent`, `departmentIds` | §7.3 |
//! | `GET agents/{id}`, `agentsByIds?agentIds=`, `PATCH agents/{id}` | at most 50 ids | §7.3 |
//! | `POST agents`, `agents/{id}/deactivate`, `agents/activate`, `agents/deleteUnconfirmed` | the first one **mails** and takes a seat | §7.3 |
//! | `GET departments`, `POST departments`, `GET`, `PATCH departments/{id}`, `POST departments/checkExists` | nothing deletes one | §7.4 |
//! | `POST departments/{id}/enable`, `disable`, `associateAgents`, `dissociateAgents` | 200 *empty* | §7.4 |
//! | `GET teams`, `departments/{id}/teams` | `{"teams":[…]}`, also when empty | §7.4 |
//! | `POST teams`, `GET`, `PATCH teams/{id}`, `GET teams/{id}/members`, `POST teams/{id}/deleteTeam` | 204 *empty* for the last | §7.4 |
//! | `GET fields?module=`, `POST fields?module=`, `GET`, `PATCH`, `DELETE fields/{id}` | 201 for a new one; a deletion takes the values along | §8 |
//! | `GET organizationFields?module=`, `customFieldCount?module=` | the older lists | §8 |
//! | `GET layouts?module=&departmentId=`, `layouts/{id}`, `ticketStatuses?departmentId=` | allowed values are in the layout only | §7.8 |
//! | `GET organizationModules`, `POST organizationModules`, `GET`, `PUT organizationModules/{id}` | nothing deletes one | §9 |
//! | `GET cm_x`, `POST cm_x`, `GET`, `PATCH cm_x/{id}`, `POST cm_x/moveToTrash` `{"recordIds"}`, `GET cm_x/search` | records of a custom module; search by times only | §9 |
//! | `GET tasks`, `calls`, `events`, each `/{id}`, `/{id}/comments`, `POST …/moveToTrash` `{"taskIds"}`, `{"callIds"}`, `{"eventIds"}` | what an import made | §10 |
//! | `GET tickets/{id}/tasks`, `calls`, `events` | paged | §10 |
//! | `POST imports` | queued at once, worked off as time passes | §10 |
//! | `GET imports/{id}`, `importErrorLog/{id}` | `queued` or `completed` | §10 |
//! | `POST importMappings` `{"scopeId","module","externalIds"}` | `{"data":[{"externalId","entityId"}]}` | §10 |
//! | `GET tickets/search`, `contacts/search`, `accounts/search`, `tasks/search`, `calls/search`, `events/search` | paged, `from` up to 999; **lags** | §13 |
//! | `GET recycleBin`, `POST recycleBin/delete`, `restore` | mass | §12 |
//! | `POST recycleBin/deleteAll`, `restoreAll` | 202 *empty* | §12 |
//! | `GET channels` | | §7.7 |
//!
//! Any other method of a known path is a 405 `METHOD_NOT_ALLOWED` (so are `PUT` and `DELETE` of a record, §1), any other path a 404.
//!
//! # The import API (§10)
//!
//! A request is checked as a whole when it comes: shape, lengths, characters of external ids, every key of a row there (null
//! otherwise, [`Switches::import_all_keys`]); what is wrong is a 422 that points at `/data/tickets/0/…`. A good one is `queued`. Its
//! rows are worked off in the order accounts, contacts, tickets, threads, comments, activities, their comments: the first after
//! [`Switches::import_queue_time`], each further one [`Switches::import_row_time`] later, so that an import can be met half done.
//! It is `completed` when all rows are done and [`Switches::import_polls`] requests have been told `queued`;
//! [`Simulator::hurry_imports`] makes all of that quick. Rows fail alone: then `hasError` is true and `errorReportUrl` names the log.
//! Row errors: unknown parent, missing contact, unknown picklist value, unknown or unfit agent, duplicate e-mail, thread without
//! time or bare address, `closedTime` before `createdTime`, whatever stands in [`Switches`].
//!
//! # What happens unless it is prevented
//!
//! Requests always set these off; an import does only with `runAutomation: true`, which is what it means when it is left out
//! ([`Switches::import_runs_automation_by_default`]). [`Services`] says which of them the portal has; kinds are those of the outbox.
//!
//! | what | when | where it shows | section |
//! | --- | --- | --- | --- |
//! | acknowledgement to the contact | a ticket is made | outbox `acknowledgement` | §14 |
//! | notice to agents | a ticket is made or assigned | outbox `agent-notice` | §14 |
//! | mail about a public comment | a comment is public | outbox `comment` | §14 |
//! | closing mail and happiness survey | a ticket is closed | outbox `closed`, `happiness` | §14 |
//! | workflows, SLA, assignment rules, auto-tags | a ticket is made or changed | automation log `workflow`, `sla`, `assignment`, `auto-tag` | §14 |
//! | webhooks | a ticket is made or changed | outbox `webhook` | §14 |
//! | CRM sync | a contact or account is made or changed | outbox `crm` | §7.2 |
//! | a reply is sent | `sendReply`, `ticketCreationType: sendAsEmail` | outbox `reply` | §7.7 |
//! | a resolution is mailed | `isNotifyContact: true` | outbox `resolution` | §14 |
//! | a mention | `zsu[@user:…]zsu` in a comment, an imported one too | outbox `mention` | §7.6 |
//! | an agent or a customer is invited | `POST agents`, `inviteAsEndUser` | outbox `invitation` | §7.3 |
//! | a contact is made | inline `contact` with an unknown address | contacts, by-product | §7.1 |
//! | a tag is made | an unknown name on a ticket | tags | §7.8 |
//!
//! What other people do meanwhile is done by methods of [`Simulator`]: [`Simulator::edit_record`], [`Simulator::add_comment`],
//! [`Simulator::trash_record`], [`Simulator::receive_mail`], [`Simulator::take_calls`] (another integration uses up calls) and others.
//!
//! # Switches
//!
//! [`Switches`] documents each with its section; the defaults that a connector meets first:
//!
//! | switch | default |
//! | --- | --- |
//! | [`Switches::imports_refused`] | the import API is open |
//! | [`Switches::import_all_keys`] | on: a row without one of its keys is a 422 |
//! | [`Switches::import_max_rows`] | 100 rows an import |
//! | [`Switches::import_duplicate`] | an external id that is sent again makes a second entity |
//! | [`Switches::import_field_keys`] | `customFields` by display label; what is unknown is dropped in silence |
//! | [`Switches::import_tags`] | `tags` of a ticket row are dropped in silence |
//! | [`Switches::import_duplicate_email`], [`Switches::duplicate_email`] | a second contact of one e-mail address is refused |
//! | [`Switches::import_description_thread`] | a ticket row's `description` becomes its first thread |
//! | [`Switches::import_polls`], [`Switches::import_queue_time`], [`Switches::import_row_time`] | 1; 2 s; 20 ms |
//! | [`Switches::empty_mappings`] | no mapping: `{"data":[]}` |
//! | [`Switches::mappings_outlive`] | off: a permanent deletion takes the mapping along |
//! | [`Switches::search_lag`] | two minutes |
//! | [`Switches::omitted_is_public`] | a comment without `isPublic` is public |
//! | [`Switches::html_comments_kept`] | off: `<!-- -->` is taken out of comments and threads |
//! | [`Switches::subject_max`] | 255 |
//! | [`Switches::zip_digits_only`] | on |
//! | [`Switches::new_field_on_layouts`] | on: a new field is on every layout |
//! | [`Switches::trash_takes_children`] | on: the tickets of a trashed contact or account go with it |
//! | [`Switches::attachment_max_bytes`] | 20 MiB |
//!
//! # Looking at it
//!
//! [`Simulator::snapshot`] is the content, typed: [`Snapshot`] has `records` of every module ([`model::Record`]: standard fields in
//! `values` by their API name, custom ones in `cf`), `threads`, `comments`, `attachments`, `tags`, `agents`, `departments`, `teams`,
//! `fields`, `modules`, `imports`. [`Simulator::state_fingerprint`] is canonical JSON for comparing two runs: records by module,
//! each called by its external id, custom `Kustomer Id`-like value, address or name, with its threads, comments, tags and files;
//! what is in the recycle bin is under `deleted`. [`Simulator::conversations`] counts the live tickets that were not there before.
//!
//! Not here: channel integrations and marketplace extensions (route C), the zip import, products, contracts, knowledge base, time
//! entries, views, blueprints, chat, making rules.

pub mod model;
mod switches;

pub use switches::{
    Config, DuplicateEmail, Edition, EmptyMappings, ErrorLog, FieldKeys, FieldNames,
    ImportDuplicate, ImportTags, MassFailure, OauthClient, Preexisting, Services, StatusType,
    Switches,
};
