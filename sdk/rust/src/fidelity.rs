//! How each field travels, as a table of text: one row a line, `kind | field | exact, converted or lost | note`, so that a
//! person can read it beside the README. Empty lines and those that begin with `#` are passed over.

use crate::connector::FieldFidelity;
use crate::types::{Fidelity, Kind};

/// The rows of a table; a line that is none is left out, which a connector's test should catch by counting.
pub fn fidelity_table(text: &str) -> Vec<FieldFidelity> {
    text.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<FieldFidelity> {
    let mut columns = line.split('|').map(str::trim);
    let kind = kind_called(columns.next()?)?;
    let field = columns.next()?.to_owned();
    let how = match columns.next()? {
        "exact" => Fidelity::Exact,
        "converted" => Fidelity::Converted,
        "lost" => Fidelity::Lost,
        _ => return None,
    };
    let note = columns.next().filter(|note| !note.is_empty());
    Some(FieldFidelity {
        kind,
        field,
        how,
        note: note.map(str::to_owned),
    })
}

fn kind_called(name: &str) -> Option<Kind> {
    let all = [
        Kind::Team,
        Kind::Agent,
        Kind::Tag,
        Kind::Brand,
        Kind::Company,
        Kind::Customer,
        Kind::Conversation,
        Kind::Message,
        Kind::Attachment,
        Kind::FieldDefinition,
        Kind::ObjectType,
        Kind::CustomObject,
        Kind::Relationship,
        Kind::Category,
        Kind::Article,
    ];
    all.into_iter().find(|kind| kind.word() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_row_or_nothing() {
        let table = "# a heading\n\nteam | name | exact | a group\ntag | color | lost |\nteam | x | kept |\n";
        let rows = fidelity_table(table);
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].note.as_deref(), Some("a group"));
        assert_eq!(rows[1].how, Fidelity::Lost);
    }
}
