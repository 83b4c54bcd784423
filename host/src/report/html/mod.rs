//! Pages: one layout for everything that is shown as HTML.
//!
//! A page is one file. It asks for nothing else, runs nothing, and says so: its content security policy lets in the style that
//! is in it, by its digest, and nothing more. It is light or dark as the reader's system is, and holds at the width of a desk
//! as of a phone.
//!
//! Text from outside is put in by [`said`] and the functions here that take `&str` or `String`: it can be no markup, and its
//! control and direction characters are spelled out, as on a terminal. A link leads to `http` and `https` only.
//!
//! What a page says is the business of the modules beside this one; they make [`Section`]s of the parts here.

mod inventory;
mod parts;
mod plan;
mod plot;
mod run;

use base64::Engine as _;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

pub use inventory::inventory;
pub use parts::{
    Cell, Column, Share, Tile, Tone, banner, bar, download, facts, folded, link, list, notices,
    pill, said, shares, table, tiles, total_table,
};
pub use plan::plan;
pub use plot::{Panel, Series, Shape, plot};
pub use run::{data, run};

/// The style of all pages.
const STYLE: &str = include_str!("style.css");
/// The element that holds a page's data, for whoever checks it.
const DATA_BEGINS: &str = "<script type=\"application/json\" id=\"transload-data\">";
const DATA_ENDS: &str = "</script>";

/// A page.
#[derive(Debug)]
pub struct Page {
    /// The window's title.
    pub title: String,
    /// What sort of page it is, above the heading.
    pub kicker: String,
    /// The heading.
    pub heading: Markup,
    /// A sentence below it.
    pub lead: Markup,
    /// What it says.
    pub sections: Vec<Section>,
    /// The sentences at its foot.
    pub foot: Vec<String>,
    /// What the page was made from, as JSON, for whoever checks it.
    pub data: Option<String>,
}

/// A part of a page with a heading of its own, named in the page's contents.
#[derive(Debug)]
pub struct Section {
    id: &'static str,
    title: String,
    count: Option<u64>,
    body: Markup,
}

/// A section: `id` is what a link to it ends with.
#[must_use]
pub fn section(id: &'static str, title: &str, about: &str, body: Markup) -> Section {
    let body = html! {
        @if !about.is_empty() { p.about { (said(about)) } }
        (body)
    };
    Section {
        id,
        title: title.to_owned(),
        count: None,
        body,
    }
}

impl Section {
    /// Shows a number beside its title in the contents.
    #[must_use]
    pub fn counting(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }
}

/// A page as the text of its file.
#[must_use]
pub fn page(page: &Page) -> String {
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    );
    let data = page.data.as_deref().map(embedded);
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                meta name="generator" content=(concat!("transload ", env!("CARGO_PKG_VERSION")));
                title { (super::clean(&page.title)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                div.sheet {
                    header {
                        p.kicker { (said(&page.kicker)) }
                        h1 { (page.heading) }
                        p.lead { (page.lead) }
                    }
                    div.with-contents {
                        nav.contents aria-label="Contents" {
                            ol {
                                @for section in &page.sections {
                                    li {
                                        a href={ "#" (section.id) } {
                                            (said(&section.title))
                                            @if let Some(count) = section.count {
                                                span.count { (super::number(count)) }
                                            }
                                        }
                                    }
                                }
                            }
                        }
                        main {
                            @for section in &page.sections {
                                section id=(section.id) {
                                    h2 { (said(&section.title)) }
                                    (section.body)
                                }
                            }
                        }
                    }
                    footer {
                        @for sentence in &page.foot { p { (said(sentence)) } }
                    }
                }
                @if let Some(data) = data { (PreEscaped(data)) }
            }
        }
    };
    let mut text = markup.into_string();
    text.push('\n');
    text
}

/// JSON in an element that nothing in it can end: `<` is written as an escape, which JSON reads as the same.
fn embedded(json: &str) -> String {
    let json = json.replace('<', "\\u003c").replace('>', "\\u003e");
    format!("{DATA_BEGINS}{json}{DATA_ENDS}")
}

/// The data that is in the text of a page, if there is any.
#[must_use]
pub fn data_of(page: &str) -> Option<&str> {
    let (_, rest) = page.split_once(DATA_BEGINS)?;
    Some(rest.split_once(DATA_ENDS)?.0)
}
