//! What must be rebuilt by hand, for the person who does it: a summary on the terminal, Markdown, and one HTML page.
//!
//! Everything in it was written by somebody else, at the source: names and texts are escaped for each form, so that none of them is
//! read as markup, and control and direction characters are spelled out as everywhere. Only a text that is to be taken over keeps
//! its lines and marks.

use std::fmt::Write as _;

use super::run::time;
use super::table::{Column, clean, number, table};
use super::{Width, section};
use crate::pipeline::model::{
    Inventory, InventoryGroup, InventoryLine, InventoryThing, InventoryUse, Part,
};

/// What a sort of things is called; a further one by the source's word.
pub(super) fn title(category: &str) -> String {
    match category {
        "queue" => "Queues",
        "routing" => "Routing rules",
        "sla" => "SLA policies",
        "schedule" => "Opening hours",
        "workflow" => "Workflows",
        "canned-reply" => "Ready-made replies",
        "survey" => "Surveys",
        "snooze" => "Snooze times",
        "role" => "Roles",
        "sender" => "Sender addresses",
        "webhook" => "Webhooks",
        "block-list" => "Blocked senders",
        "view" => "Saved searches",
        "report" => "Reports",
        "help-center" => "Looks of the knowledge base",
        other => return other.replace('-', " "),
    }
    .to_owned()
}

/// What stands above lines of one part.
pub(super) fn heading(part: Part) -> &'static str {
    match part {
        Part::Trigger => "When",
        Part::Condition => "If",
        Part::Action => "Then",
        Part::Setting => "Settings",
        Part::Text => "Text",
    }
}

/// What is to be done about a group, in one line.
pub(super) fn rebuild(group: &InventoryGroup, destination: &str) -> String {
    match (&group.feature, &group.note) {
        (Some(feature), Some(note)) => format!("Rebuild with: {feature}. {note}"),
        (Some(feature), None) => format!("Rebuild with: {feature}"),
        (None, Some(note)) => format!("{destination} has no feature of its own for it: {note}"),
        (None, None) => format!("{destination}'s connector does not say with what it is rebuilt"),
    }
}

/// How many statements have no words, in words; nothing if all have.
fn unsaid(inventory: &Inventory) -> Option<String> {
    match inventory.groups.iter().map(wordless).sum::<u64>() {
        0 => None,
        1 => Some("1 statement has a part without words".to_owned()),
        n => Some(format!("{} statements have parts without words", number(n))),
    }
}

pub(super) fn off(group: &InventoryGroup) -> u64 {
    let things = group.things.iter();
    things.filter(|thing| thing.enabled == Some(false)).count() as u64
}

/// Lines that show what there are no words for.
pub(super) fn wordless(group: &InventoryGroup) -> u64 {
    let lines = group.things.iter().flat_map(|thing| &thing.lines);
    lines.filter(|line| line.raw.is_some()).count() as u64
}

/// Consecutive lines of one part.
pub(super) fn parts(lines: &[InventoryLine]) -> impl Iterator<Item = (Part, &[InventoryLine])> {
    lines
        .chunk_by(|a, b| a.part == b.part)
        .filter_map(|chunk| Some((chunk.first()?.part, chunk)))
}

/// `120 conversations`, and so on.
pub(super) fn records(thing: &InventoryThing) -> Vec<String> {
    thing
        .records
        .iter()
        .map(|(kind, n)| match n {
            1 => format!("1 {}", kind.replace('-', " ")),
            n => format!("{} {}s", number(*n), kind.replace('-', " ")),
        })
        .collect()
}

pub(super) fn used(used: &InventoryUse) -> String {
    let kind = used.kind.replace('-', " ");
    let name = match &used.name {
        Some(name) => format!("{kind} “{name}”"),
        None => format!("{kind} {}", used.id),
    };
    match &used.target {
        Some(target) => format!("{name}, at the destination {target}"),
        None => name,
    }
}

/// The whole document as one HTML page.
#[must_use]
pub fn html(inventory: &Inventory) -> String {
    super::html::inventory(inventory)
}

/// What there is, for a terminal.
pub fn text(inventory: &Inventory, width: Width) -> String {
    let mut out = format!(
        "To be rebuilt by hand: from {} ({}) at {} ({})\n\n",
        clean(&inventory.source_title),
        clean(&inventory.source),
        clean(&inventory.destination_title),
        clean(&inventory.destination),
    );
    let rows = inventory.groups.iter().map(|group| {
        let words = |n: u64| if n == 0 { String::new() } else { number(n) };
        vec![
            title(&group.category),
            number(group.things.len() as u64),
            words(off(group)),
            words(wordless(group)),
            group.feature.clone().unwrap_or_else(|| "·".to_owned()),
            group.note.clone().unwrap_or_default(),
        ]
    });
    let columns = [
        Column::Left("what"),
        Column::Right("how many"),
        Column::Right("off"),
        Column::Right("to look up"),
        Column::Left("rebuild it with"),
        Column::Left("where, how"),
    ];
    out.push_str(&table(&columns, rows, width));
    out.push('\n');
    for group in &inventory.groups {
        let rows = group.things.iter().map(|thing| {
            let mut with = records(thing);
            with.extend(thing.used_by.iter().map(used));
            vec![
                thing.name.clone(),
                if thing.enabled == Some(false) {
                    "off"
                } else {
                    ""
                }
                .to_owned(),
                thing.summary.clone(),
                with.join("; "),
            ]
        });
        section(
            &mut out,
            &title(&group.category),
            table(
                &["name", "", "about", "used by"].map(Column::Left),
                rows,
                width,
            ),
        );
    }
    if inventory.groups.is_empty() {
        out.push_str("The source lists nothing.\n");
        return out;
    }
    if let Some(words) = unsaid(inventory) {
        let _ = writeln!(out, "{words}, shown as the source has it (\"to look up\").");
    }
    out.push_str(
        "Conditions and actions in words: transload inventory --html FILE, or --markdown FILE\n",
    );
    out
}

/// The whole document as Markdown.
#[must_use]
pub fn markdown(inventory: &Inventory) -> String {
    let mut out = String::from("# To be rebuilt by hand\n\n");
    let _ = writeln!(
        out,
        "From {} ({}, organisation {}), to be rebuilt at {} ({}). As of {}.\n\n\
         Nothing of this was migrated: a platform's rules mean nothing to another. Each entry says what it does, what it works with, \
         and what uses it.",
        inline(&inventory.source_title),
        inline(&inventory.source),
        inline(&inventory.organisation),
        inline(&inventory.destination_title),
        inline(&inventory.destination),
        time(inventory.taken_at),
    );
    if let Some(words) = unsaid(inventory) {
        let _ = writeln!(out, "\n{words}, shown `as the source has it`.");
    }
    if !inventory.groups.is_empty() {
        out.push_str(
            "\n| What | How many | Off | Rebuild it with |\n| --- | ---: | ---: | --- |\n",
        );
    }
    for group in &inventory.groups {
        let feature = group
            .feature
            .as_deref()
            .map_or_else(|| "–".to_owned(), inline);
        let _ = writeln!(
            out,
            "| {} | {} | {} | {feature} |",
            inline(&title(&group.category)),
            number(group.things.len() as u64),
            number(off(group)),
        );
    }
    for group in &inventory.groups {
        let _ = writeln!(
            out,
            "\n## {}\n\n{}",
            inline(&title(&group.category)),
            inline(&rebuild(group, &inventory.destination_title)),
        );
        for thing in &group.things {
            markdown_thing(&mut out, thing);
        }
    }
    out
}

fn markdown_thing(out: &mut String, thing: &InventoryThing) {
    let state = if thing.enabled == Some(false) {
        " (off)"
    } else {
        ""
    };
    let _ = writeln!(out, "\n### {}{state}\n", inline(&thing.name));
    let _ = writeln!(out, "{} {}", inline(&thing.section), code(&thing.id));
    if !thing.summary.is_empty() {
        let _ = writeln!(out, "\n{}", inline(&thing.summary));
    }
    for (part, lines) in parts(&thing.lines) {
        let _ = writeln!(out, "\n**{}**\n", heading(part));
        if part == Part::Text {
            for line in lines {
                let text = lines_kept(&line.words);
                let fence = fence(&text, 3);
                let _ = writeln!(out, "{fence}text\n{text}\n{fence}\n");
            }
            continue;
        }
        for line in lines {
            let indent = "  ".repeat(usize::from(line.depth));
            let raw = line
                .raw
                .as_ref()
                .map(|raw| format!(": {}", code(&raw.to_string())));
            let _ = writeln!(
                out,
                "{indent}- {}{}",
                inline(&line.words),
                raw.unwrap_or_default()
            );
        }
    }
    let mut said = |what: &str, list: Vec<String>| {
        if !list.is_empty() {
            let list: Vec<String> = list.iter().map(|one| inline(one)).collect();
            let _ = writeln!(out, "\n{what}: {}", list.join("; "));
        }
    };
    said("Works with", thing.uses.iter().map(used).collect());
    let mut by = records(thing);
    by.extend(thing.used_by.iter().map(used));
    said("Used by", by);
}

/// A text within a line of Markdown, of which nothing is markup.
fn inline(text: &str) -> String {
    let text = clean(text);
    let mut out = String::with_capacity(text.len());
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    for (at, c) in text.chars().enumerate() {
        // At the beginning `1.` and `-` make a list, `=` a heading of the line above.
        let begins = at == 0 && matches!(c, '-' | '+' | '=' | ':');
        let numbers = digits > 0 && at == digits && matches!(c, '.' | ')');
        if begins
            || numbers
            || matches!(
                c,
                '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '#' | '$' | '!'
            )
        {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A text within a line of Markdown, as code.
fn code(text: &str) -> String {
    let text = clean(text);
    let fence = fence(&text, 1);
    // In a table a bar ends the cell even within code; ids and raw forms stand in none.
    match text.starts_with('`') || text.ends_with('`') {
        true => format!("{fence} {text} {fence}"),
        false => format!("{fence}{text}{fence}"),
    }
}

/// More backticks than a text has anywhere.
fn fence(text: &str, least: usize) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat((longest + 1).max(least))
}

/// A text to take over: its lines and marks stay, what could steer a terminal or turn what stands after it is spelled out.
pub(super) fn lines_kept(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    text.chars()
        .fold(String::with_capacity(text.len()), |mut out, c| {
            let steers = c.is_control() && !matches!(c, '\n' | '\t')
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            match steers {
                true => out.extend(c.escape_default()),
                false => out.push(c),
            }
            out
        })
}

#[cfg(test)]
pub(in crate::report) mod tests;
