//! What Kustomer's documentation leaves open (Kustomer facts §14), as switches with documented defaults, and the faults
//! of a search service that a test can turn on.
//!
//! A connector must do right whatever these say. Where a default is a guess it says so.

/// What a list or a search answers for a page beyond its last allowed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// 400 with an error body. The default, a guess.
    Refuse,
    /// 200 with no rows.
    Empty,
    /// 200 with the rows of the last allowed page again.
    Repeat,
}

/// What becomes of a page size over the maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oversize {
    /// 400. The default, a guess.
    Refuse,
    /// The maximum is used.
    Clamp,
}

/// Where the body behind a message's `links.related` is (§9.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyResource {
    /// The path answers 404. The default.
    Absent,
    /// The whole text, uncut.
    Text,
    /// The whole text and HTML.
    Html,
}

/// What `GET` answers for a deleted or merged-away record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// 404. The default.
    NotFound,
    /// 410.
    Gone,
    /// 200 with the record; a deleted one says so, a merged one shows its survivor.
    Shown,
}

/// How files of notes can be found. No document says; that notes can have files is known from search (§8) and from the body
/// that creates one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteFiles {
    /// All as with messages, whose body of creation and search attribute are the same: a note names its files in
    /// `relationships.attachments`, `GET /notes/{id}/attachments` lists them and `…/attachments/{id}` gives one. The default, a
    /// guess.
    Named,
    /// They are listed below the note, but the note does not name them.
    Listed,
    /// There is no way; only `note_attachment_count` in search says that there are any.
    Hidden,
}

/// The shape of error bodies (§6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorShape {
    /// `{"errors":[{"code","message","meta"}]}`. The default.
    Current,
    /// `{"errors":[{"status","code","title","detail","source"}]}`.
    JsonApi,
    /// No body at all.
    Empty,
}

/// How `idsOnly=true` answers look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdsOnly {
    /// Resources with `type` and `id` only. The default, a guess.
    Resources,
    /// Strings.
    Strings,
}

/// All switches.
#[derive(Clone, Debug)]
pub struct Switches {
    /// Pages a search serves. Documented: 100.
    pub search_pages: u64,
    /// Rows a search serves at most, whatever the page size; third parties report 10,000. Default: no such ceiling.
    pub search_rows: Option<u64>,
    /// Rows a plain list serves at most. Default: no such ceiling.
    pub list_rows: Option<u64>,
    /// Beyond those limits.
    pub beyond: Beyond,
    /// Over the maximal page size.
    pub oversize: Oversize,
    /// `links.next` offers page 101 of a search although it is not served. Seen by a client; default true.
    pub next_past_the_cap: bool,
    /// Age in milliseconds at which a record leaves standard search for the archive. Documented: two years of
    /// `updatedAt`; 730 days here.
    pub horizon_ms: i64,
    /// For how long, in milliseconds, a record is in both indexes around the horizon. Default: one day.
    pub horizon_overlap_ms: i64,
    /// How long the search index lags behind a change, in milliseconds (§8). Until then search shows the record as it
    /// was; a new record is not shown at all. Default: 30 seconds.
    pub index_lag_ms: i64,
    /// Every n-th search (counted from 1) is timed out and holds only half of its rows. Default: never.
    pub timed_out_every: Option<u64>,
    /// Records with one `updatedAt` come in another order with every request, so that a page boundary among them
    /// loses and repeats rows. Default: false.
    pub unstable_ties: bool,
    /// Sorting by other than customer attributes is honoured (both public clients rely on it); otherwise 400. Default:
    /// true.
    pub sorts_of_other_objects: bool,
    /// Only the first key of a sort counts. Seen by a third party; default true.
    pub first_sort_key_only: bool,
    /// Shape of `idsOnly` answers.
    pub ids_only: IdsOnly,
    /// Where the body behind `links.related` is.
    pub body_resource: BodyResource,
    /// `GET` of a deleted record.
    pub deleted: Gone,
    /// `GET` of a customer that was merged into another.
    pub merged: Gone,
    /// How files of notes are found.
    pub note_files: NoteFiles,
    /// Shape of error bodies.
    pub errors: ErrorShape,
    /// A 429 carries `retry-after`. Default: true.
    pub retry_after: bool,
    /// `x-ratelimit-reset` is on every answer, not only on a 429. Default: true.
    pub reset_always: bool,
    /// Query parameters that no document names are refused with 400, so that a client's mistake shows. The real
    /// service is not known to do so. Default: true.
    pub strict_parameters: bool,
    /// The list of klasses gives the others than `enabled` only when asked (§9.11). Documented; default true.
    pub klasses_enabled_only: bool,
    /// Search knows klasses that are not enabled; otherwise their contexts answer 400. What `existing_only` and `disabled` mean
    /// beyond their names is open (§14). Default: true.
    pub klasses_all_searched: bool,
    /// Items in the list of a conversation's attachments have no `id` (§9.6). Default: true.
    pub attachments_without_id: bool,
    /// Milliseconds that a download link lives. Documented: 600 seconds.
    pub link_life_ms: i64,
    /// Attributes that are masked for keys without the right to read sensitive values, as `customer.emails` or
    /// `customer.custom.taxIdStr`. Default: `customer.custom.taxIdStr`.
    pub sensitive: Vec<String>,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            search_pages: 100,
            search_rows: None,
            list_rows: None,
            beyond: Beyond::Refuse,
            oversize: Oversize::Refuse,
            next_past_the_cap: true,
            horizon_ms: 730 * 86_400_000,
            horizon_overlap_ms: 86_400_000,
            index_lag_ms: 30_000,
            timed_out_every: None,
            unstable_ties: false,
            sorts_of_other_objects: true,
            first_sort_key_only: true,
            ids_only: IdsOnly::Resources,
            body_resource: BodyResource::Absent,
            deleted: Gone::NotFound,
            merged: Gone::NotFound,
            note_files: NoteFiles::Named,
            errors: ErrorShape::Current,
            retry_after: true,
            reset_always: true,
            strict_parameters: true,
            klasses_enabled_only: true,
            klasses_all_searched: true,
            attachments_without_id: true,
            link_life_ms: 600_000,
            sensitive: vec!["customer.custom.taxIdStr".to_owned()],
        }
    }
}
