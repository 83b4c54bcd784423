//! What must be rebuilt by hand, as a page for the person who rebuilds it: an overview, and a section for each sort of things, with
//! the destination's feature for it above.

use maud::{Markup, html};

use super::parts::{Cell, Column, Tone};
use super::{Page, Section, page, parts, section};
use crate::pipeline::model::{Inventory, InventoryGroup, InventoryThing, Part};
use crate::report::clean;
use crate::report::inventory as words;
use crate::report::run::time;

/// Deeper lines stand no further in.
const DEEPEST: u8 = 4;
/// Where sections are that have no name of ours.
const FURTHER: [&str; 6] = [
    "other", "other-2", "other-3", "other-4", "other-5", "other-6",
];

/// The page.
#[must_use]
pub fn inventory(inventory: &Inventory) -> String {
    let mut further = FURTHER.into_iter();
    let mut sections = vec![overview(inventory)];
    for group in &inventory.groups {
        let id = id_of(&group.category).unwrap_or_else(|| further.next().unwrap_or("other-more"));
        sections.push(one(group, id, &inventory.destination_title));
    }
    let (from, to) = (&inventory.source_title, &inventory.destination_title);
    page(&Page {
        title: format!("{from} → {to}: to be rebuilt by hand"),
        kicker: "Transload · inventory".into(),
        heading: html! { (parts::said(from)) span.to { " → " } (parts::said(to)) },
        lead: html! {
            "What no interface lets a program move, of " (parts::said(&inventory.source)) " (organisation "
            (parts::said(&inventory.organisation)) "), in words, with what takes its place. As of " (time(inventory.taken_at)) "."
        },
        sections,
        foot: vec![format!(
            "Made by transload {}. Times are UTC. Nothing of this was migrated.",
            env!("CARGO_PKG_VERSION")
        )],
        data: None,
    })
}

/// The sorts of the contract are places of the page by their own words.
fn id_of(category: &str) -> Option<&'static str> {
    [
        "queue",
        "routing",
        "sla",
        "schedule",
        "workflow",
        "canned-reply",
        "survey",
        "snooze",
        "role",
        "sender",
        "webhook",
        "block-list",
        "view",
        "report",
        "help-center",
    ]
    .into_iter()
    .find(|known| *known == category)
}

fn overview(inventory: &Inventory) -> Section {
    let rows = inventory.groups.iter().map(|group| {
        let feature = match &group.feature {
            Some(feature) => parts::said(feature),
            None => parts::pill(Tone::Warn, "no such feature"),
        };
        vec![
            words::title(&group.category).into(),
            (group.things.len() as u64).into(),
            words::off(group).into(),
            words::wordless(group).into(),
            Cell::Made(feature),
        ]
    });
    let body = html! {
        (parts::table(
            &[
                Column::Name("what"),
                Column::Number("how many"),
                Column::Number("switched off"),
                Column::Number("to look up"),
                Column::Words("rebuild it with"),
            ],
            rows.collect(),
        ))
        @if inventory.groups.is_empty() { p { "The source lists nothing." } }
    };
    section(
        "overview",
        "What there is",
        "\"To look up\" are statements with a part that there are no words for: it is shown as the source has it. What is switched off \
         may not need to be rebuilt.",
        body,
    )
}

fn one(group: &InventoryGroup, id: &'static str, destination: &str) -> Section {
    let tone = match group.feature {
        Some(_) => Tone::Good,
        None => Tone::Warn,
    };
    let title = match &group.feature {
        Some(feature) => format!("Rebuild with: {feature}"),
        None => format!("{destination} has no feature of its own for it"),
    };
    let body = html! {
        (parts::banner(tone, &title, html! {
            @if let Some(note) = &group.note { p { (parts::said(note)) } }
        }))
        @for thing in &group.things { (shown(thing)) }
    };
    section(id, &words::title(&group.category), "", body).counting(group.things.len() as u64)
}

fn shown(thing: &InventoryThing) -> Markup {
    let uses: Vec<String> = thing.uses.iter().map(words::used).collect();
    let mut used_by = words::records(thing);
    used_by.extend(thing.used_by.iter().map(words::used));
    html! {
        article.thing {
            h3 {
                (parts::said(&thing.name))
                @if thing.enabled == Some(false) { (parts::pill(Tone::Plain, "off")) }
            }
            p.id { (parts::said(&thing.section)) " " code { (clean(&thing.id)) } }
            @if !thing.summary.is_empty() { p.about { (parts::said(&thing.summary)) } }
            dl.says {
                @for (part, lines) in words::parts(&thing.lines) {
                    dt { (words::heading(part)) }
                    dd {
                        @if part == Part::Text {
                            @for line in lines { pre.taken { bdi { (words::lines_kept(&line.words)) } } }
                        } @else {
                            ul.lines {
                                @for line in lines {
                                    li class={ "deep-" (line.depth.min(DEEPEST)) } {
                                        (parts::said(&line.words))
                                        @if let Some(raw) = &line.raw { " " code { (clean(&raw.to_string())) } }
                                    }
                                }
                            }
                        }
                    }
                }
                @for (what, list) in [("Works with", &uses), ("Used by", &used_by)] {
                    @if !list.is_empty() {
                        dt { (what) }
                        dd { ul.lines { @for one in list { li { (parts::said(one)) } } } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::inventory::tests::made_up;
    use super::*;
    use crate::report::number;

    #[test]
    fn what_was_written_elsewhere_is_no_markup_and_leads_nowhere() {
        let page = inventory(&made_up());
        for markup in ["<script>alert", "<img", "<b>", "href=\"javascript"] {
            assert!(!page.contains(markup), "{markup}");
        }
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(!page.contains('\u{202e}') && page.contains("\\u{202e}"));
        assert!(page.contains("<pre class=\"taken\">"));
        assert_eq!(page.matches("id=\"routing\"").count(), 1);
        assert_eq!(
            page.matches("id=\"other\"").count(),
            1,
            "a further sort has a place too"
        );
    }

    #[test]
    fn every_sort_and_thing_is_on_the_page() {
        let all = made_up();
        let page = inventory(&all);
        for thing in all.groups.iter().flat_map(|group| &group.things) {
            assert!(page.contains(&thing.id), "{}", thing.id);
        }
        assert!(page.contains("Rebuild with: Triggers"));
        assert!(page.contains("has no feature of its own"));
        assert!(page.contains(&format!("{} conversations", number(1_200))));
    }
}
