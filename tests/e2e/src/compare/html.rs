//! Texts that a platform keeps as HTML only.

/// The text of HTML that has line breaks and preformatted text only.
pub(super) fn plain(html: &str) -> Option<String> {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        text.push_str(before);
        let (tag, after) = after.split_once('>')?;
        match tag.trim_end_matches([' ', '/']) {
            "br" => text.push('\n'),
            "pre" => {}
            _ => return None,
        }
        rest = after;
    }
    text.push_str(rest);
    Some(unescaped(&text))
}

/// A text without entities.
pub(super) fn unescaped(text: &str) -> String {
    let entities = [
        ("&nbsp;", " "),
        ("&#13;", "\r"),
        ("&#9;", "\t"),
        ("&#39;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&amp;", "&"),
    ];
    let mut text = text.to_owned();
    for (entity, c) in entities {
        text = text.replace(entity, c);
    }
    text
}

/// A text by its lines, with runs of blanks as one: to the byte it is the connector's own tests that hold it to its original.
pub(super) fn folded(text: &str) -> Vec<String> {
    let lines = text.split(['\n', '\r']);
    let line = |line: &str| {
        line.split([' ', '\t', '\u{a0}'])
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    };
    lines.map(line).filter(|line| !line.is_empty()).collect()
}
