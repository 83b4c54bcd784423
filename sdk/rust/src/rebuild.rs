//! With which feature of a destination each sort of a source's inventory is rebuilt, as a table of text: one row a line,
//! `category | feature | where and how`, so that a person can read it beside the README. A row without a feature says that the
//! platform has none, and what to do instead. Empty lines and those that begin with `#` are passed over.

use crate::connector::Rebuild;
use crate::types::InventoryCategory;

/// Every sort of thing, but for those that only the source has a word for.
pub const CATEGORIES: [InventoryCategory; 15] = [
    InventoryCategory::Queue,
    InventoryCategory::Routing,
    InventoryCategory::Sla,
    InventoryCategory::Schedule,
    InventoryCategory::Workflow,
    InventoryCategory::CannedReply,
    InventoryCategory::Survey,
    InventoryCategory::Snooze,
    InventoryCategory::Role,
    InventoryCategory::Sender,
    InventoryCategory::Webhook,
    InventoryCategory::BlockList,
    InventoryCategory::View,
    InventoryCategory::Report,
    InventoryCategory::HelpCenter,
];

impl InventoryCategory {
    /// Its word, as in the contract: `canned-reply`; of a further one the source's own.
    pub fn word(&self) -> &str {
        match self {
            Self::Queue => "queue",
            Self::Routing => "routing",
            Self::Sla => "sla",
            Self::Schedule => "schedule",
            Self::Workflow => "workflow",
            Self::CannedReply => "canned-reply",
            Self::Survey => "survey",
            Self::Snooze => "snooze",
            Self::Role => "role",
            Self::Sender => "sender",
            Self::Webhook => "webhook",
            Self::BlockList => "block-list",
            Self::View => "view",
            Self::Report => "report",
            Self::HelpCenter => "help-center",
            Self::Other(word) => word,
        }
    }
}

/// The rows of a table; a line that is none is left out, which a connector's test should catch with
/// [`assert_everything_can_be_rebuilt`](crate::testing::described::assert_everything_can_be_rebuilt).
pub fn rebuild_table(text: &str) -> Vec<Rebuild> {
    text.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<Rebuild> {
    let mut columns = line.splitn(3, '|').map(str::trim);
    let word = columns.next()?;
    let category = CATEGORIES.into_iter().find(|known| known.word() == word)?;
    let text = |column: Option<&str>| column.filter(|text| !text.is_empty()).map(str::to_owned);
    let (feature, note) = (text(columns.next()), text(columns.next()));
    (feature.is_some() || note.is_some()).then_some(Rebuild {
        category,
        feature,
        note,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_row_or_nothing() {
        let rows = rebuild_table(
            "# a heading\n\nsla | Policies | a | b\nsnooze | | a status\nqueue | |\nx | y | z\n",
        );
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].feature.as_deref(), Some("Policies"));
        assert_eq!(rows[0].note.as_deref(), Some("a | b"));
        assert_eq!(
            (rows[1].feature.as_deref(), rows[1].note.as_deref()),
            (None, Some("a status"))
        );
    }
}
