//! Texts that look damaged, as a section of the plan and of a run's report. Where they are and what they look like is shown; the
//! texts are not.

use super::Width;
use super::table::{Column, number, table};
use crate::pipeline::model::DamageGroup;

/// A table of damage; nothing if there is none.
pub(super) fn damage(groups: &[DamageGroup], width: Width) -> String {
    let rows = groups.iter().map(|group| {
        let examples = group
            .examples
            .iter()
            .map(|example| match group.what.as_str() {
                "cut" | "masked" => example.id.clone(),
                _ => format!("{} at character {}", example.id, number(example.at)),
            });
        vec![
            group.kind.clone(),
            group.field.clone(),
            group.what.replace('-', " "),
            number(group.records),
            group.pattern.clone(),
            examples.collect::<Vec<_>>().join(", "),
        ]
    });
    table(
        &[
            Column::Left("kind"),
            Column::Left("field"),
            Column::Left("what"),
            Column::Right("records"),
            Column::Left("looks like"),
            Column::Left("for example"),
        ],
        rows,
        width,
    )
}
