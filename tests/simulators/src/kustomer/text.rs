//! What people write: many scripts, odd characters, mixed line ends, short and very long.
//!
//! Every text is made from a [`Draw`], so it is the same each time. The characters are chosen to break careless code:
//! emoji of several code points, right-to-left text with marks, combining accents that are not composed, characters
//! outside the basic plane, zero-width and no-break spaces, tabs, and `\r\n` beside `\n`.

use super::draw::Draw;

/// The longest text that a message shows (Kustomer facts §9.4): characters of `preview`.
pub const PREVIEW_CAP: usize = 10_240;

/// Languages with their share of a thousand.
const LANGUAGES: &[(&str, u64)] = &[
    ("en_us", 640),
    ("es", 80),
    ("de", 70),
    ("fr", 50),
    ("ja", 45),
    ("zh", 30),
    ("ar", 30),
    ("he", 20),
    ("hi", 20),
    ("th", 15),
];

const ENGLISH: &[&str] = &[
    "Hi, where is my order?",
    "It was meant to arrive on Tuesday and the tracking page has not moved since.",
    "Thanks for getting back to me so quickly!",
    "I have attached a photo of the damaged box.",
    "Could you please change the delivery address?",
    "The discount code \"WELCOME<10>\" does not work at checkout & I tried it twice.",
    "I'd like to return the blue one and keep the red one.",
    "Sorry for the delay, we are looking into this now.",
    "Your refund of $42.50 was issued today and should show within 5-7 business days.",
    "Please let me know if there's anything else I can help with.",
    "I was charged twice!!!",
    "ok",
    "The app says \"Error 0x80070057\" when I press save; see C:\\Users\\ana\\log.txt.",
    "We've just sent you a new confirmation e-mail.",
    "Can I speak to a person?",
    "This is the third time I'm writing about the same issue.",
    "See https://shop.example.com/orders?id=4417&ref=mail#status for the details.",
    "Our warehouse confirmed that the parcel left on Monday.",
    "No worries, take your time.",
    "My account number is 00123-456.",
    "Is the battery included, or do I have to buy it separately?",
    "I have reset your password; the link is valid for one hour.",
    "{{customer.firstName}} should not be replaced here.",
    "The size chart says M = 38 but the label says 40.",
];
const SPANISH: &[&str] = &[
    "¿Dónde está mi pedido?",
    "Señor, el niño rompió la pantalla.",
    "Muchas gracias por su ayuda.",
    "Lo enviaremos mañana por la mañana.",
];
const GERMAN: &[&str] = &[
    "Grüße aus Köln, wo bleibt meine Bestellung?",
    "Die Straße heißt „Am Großen Weg“ 7.",
    "Vielen Dank für die schnelle Rückmeldung.",
    "Wir prüfen das und melden uns.",
];
const FRENCH: &[&str] = &[
    "J’ai reçu un colis abîmé, c’est inadmissible !",
    "Où en est ma commande ?",
    "Merci beaucoup, à bientôt.",
    "Le cœur du problème est le câble.",
];
const JAPANESE: &[&str] = &[
    "注文した商品がまだ届いていません。",
    "ご連絡ありがとうございます。",
    "ﾊﾝｶｸ と全角ＡＢＣが混ざっています。",
    "𠮷野家の近くの店舗で受け取れますか？",
];
const CHINESE: &[&str] = &[
    "我的订单在哪里？",
    "谢谢你们的帮助！",
    "请尽快处理，谢谢。",
    "發票還沒有收到。",
];
const ARABIC: &[&str] = &[
    "أين طلبي رقم 4417؟",
    "شكرًا جزيلًا على المساعدة.",
    "السَّلامُ عَلَيْكُم، المنتج مكسور.",
    "سأرسل الصورة order-4417.jpg الآن.",
];
const HEBREW: &[&str] = &[
    "איפה ההזמנה שלי?",
    "שָׁלוֹם, תודה על העזרה.",
    "המוצר (דגם X-200) לא עובד.",
];
const HINDI: &[&str] = &[
    "मेरा ऑर्डर कहाँ है?",
    "धन्यवाद, समस्या हल हो गई।",
    "क्षमा करें, रिफंड नहीं मिला।",
];
const THAI: &[&str] = &["สินค้าของฉันอยู่ที่ไหน", "ขอบคุณมากค่ะ", "กล่องเสียหายครับ"];

/// Pieces that break careless code.
const ODD: &[&str] = &[
    "👍",
    "👩‍👩‍👧‍👦 👨🏽‍🚀 🏳️‍🌈",
    "e\u{301}a\u{308}o\u{302}\u{323}",
    "zero\u{200b}width\u{200d}\u{feff}",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟜𝟚 🀄",
    "\u{202e}reversed\u{202c}",
    "no\u{a0}break\u{2009}thin\ttab",
    "🇩🇪🇯🇵 #️⃣",
    "Z̷̨̛͓a̸l̵g̶o̴",
    "<b>not a tag</b> &amp; &#39;",
    "\u{2028}line separator",
    "C:\\new\\table \\u0041 %s ${x}",
    "ﷺ ﬁ ǆ",
];

/// Names for people, in several scripts.
pub const FIRST_NAMES: &[&str] = &[
    "Ana",
    "John",
    "Maria",
    "Zoë",
    "José",
    "Siobhán",
    "Łukasz",
    "Søren",
    "Nguyễn",
    "Олег",
    "Дарья",
    "太郎",
    "花子",
    "小明",
    "محمد",
    "فاطمة",
    "דוד",
    "अमित",
    "สมชาย",
    "O'Neil",
    "Jean-Luc",
    "Mary Ann",
];
/// Family names, in several scripts.
pub const LAST_NAMES: &[&str] = &[
    "Ruiz",
    "Smith",
    "García",
    "Müller",
    "Ó Súilleabháin",
    "Kowalski",
    "Jørgensen",
    "Văn",
    "Иванов",
    "山田",
    "王",
    "العلي",
    "כהן",
    "शर्मा",
    "van der Berg",
    "D'Angelo",
    "Smith-Jones",
];

const SUBJECTS: &[&str] = &[
    "Where is my order?",
    "Refund request",
    "Re: Your invoice",
    "FW: damaged parcel",
    "Question about sizes",
    "Login problem",
    "[URGENT] charged twice",
    "Pedido nº 4417",
    "Rechnung für März",
    "注文について",
    "استفسار عن الطلب",
    "  spaces around  ",
    "Emoji 🎁 inside",
    "Cancel my subscription",
];

/// A language tag as `defaultLang` has it.
pub fn language(draw: &mut Draw) -> &'static str {
    let mut left = draw.below(1000);
    for (language, share) in LANGUAGES {
        if left < *share {
            return language;
        }
        left -= share;
    }
    "en_us"
}

fn sentences(language: &str) -> &'static [&'static str] {
    match language {
        "es" => SPANISH,
        "de" => GERMAN,
        "fr" => FRENCH,
        "ja" => JAPANESE,
        "zh" => CHINESE,
        "ar" => ARABIC,
        "he" => HEBREW,
        "hi" => HINDI,
        "th" => THAI,
        _ => ENGLISH,
    }
}

/// A subject of at most 256 characters.
pub fn subject(draw: &mut Draw) -> String {
    let subject = draw.pick(SUBJECTS);
    match draw.below(40) {
        0 => format!("{subject} {}", "long subject ".repeat(30))
            .chars()
            .take(256)
            .collect(),
        1 => String::new(),
        2..=20 => format!("{subject} #{}", draw.below(100_000)),
        _ => subject.to_owned(),
    }
}

/// The whole text of a message or note. Few are longer than [`PREVIEW_CAP`], fewer exactly as long.
pub fn body(draw: &mut Draw, language: &str) -> String {
    let shape = draw.below(1000);
    match shape {
        0 => return exactly(draw, language, PREVIEW_CAP),
        1 => return exactly(draw, language, PREVIEW_CAP + 1),
        2 | 3 => {
            let length = draw.between(10_300, 30_000) as usize;
            return exactly(draw, language, length);
        }
        4..=8 => return String::new(),
        9..=14 => return draw.pick(ODD).to_owned(),
        _ => {}
    }
    let count = match shape {
        15..=700 => draw.between(1, 3),
        701..=950 => draw.between(3, 7),
        _ => draw.between(8, 30),
    };
    paragraph(draw, language, count as usize)
}

fn paragraph(draw: &mut Draw, language: &str, count: usize) -> String {
    let line_end = draw.pick(&["\n", "\n", "\r\n", "\n\n", "\r\n\r\n"]);
    let mut text = String::new();
    for at in 0..count {
        if at > 0 {
            match draw.below(4) {
                0 => text.push_str(line_end),
                // Mixed line ends in one text.
                1 if draw.chance(100) => text.push_str("\r\n"),
                _ => text.push(' '),
            }
        }
        text.push_str(draw.pick(sentences(language)));
        if draw.chance(60) {
            text.push(' ');
            text.push_str(draw.pick(ODD));
        }
    }
    if draw.chance(30) {
        text.push_str("\n\n-- \nSent from my phone  ");
    }
    text
}

fn exactly(draw: &mut Draw, language: &str, length: usize) -> String {
    let mut text = String::new();
    let mut characters = 0;
    while characters < length {
        let more = paragraph(draw, language, 8) + "\n";
        characters += more.chars().count();
        text.push_str(&more);
    }
    // The cut may fall anywhere, also between an accent and its letter.
    text.chars().take(length).collect()
}

/// The HTML that a mail client would have sent for this text; inline images by content id.
pub fn html(text: &str, inline: &[String]) -> String {
    let mut html = String::from("<html><head><style>p{margin:0}</style></head><body>");
    for line in text.replace("\r\n", "\n").split('\n') {
        html.push_str("<p>");
        for character in line.chars() {
            match character {
                '&' => html.push_str("&amp;"),
                '<' => html.push_str("&lt;"),
                '>' => html.push_str("&gt;"),
                '"' => html.push_str("&quot;"),
                '\u{a0}' => html.push_str("&nbsp;"),
                other => html.push(other),
            }
        }
        html.push_str("</p>\r\n");
    }
    for id in inline {
        html.push_str(&format!("<img src=\"cid:{id}\" alt=\"\">"));
    }
    html.push_str("</body></html>");
    html
}

/// A file name, some of them odd.
pub fn file_name(draw: &mut Draw, extension: &str) -> String {
    let stem = draw.pick(&[
        "invoice",
        "photo",
        "IMG_2041",
        "Rechnung März",
        "領収書",
        "صورة",
        "a+b & c=d",
        "quote\"d",
        "semi;colon",
        "100%",
        "dots...more",
        "back\\slash",
        "sla/sh",
        "📷",
        "scan (1)",
        "very-long-name-very-long-name-very-long-name-very-long-name-very-long-name-very-long-name-very",
        " leading space",
        "..",
    ]);
    match draw.below(30) {
        0 => stem.to_owned(),
        1 => format!("{stem}.tar.gz"),
        2 => format!("{stem}.PDF.exe"),
        _ => format!("{stem}.{extension}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_hold_every_awkward_kind_of_character_and_both_line_ends() {
        let all: String = (0..4000)
            .map(|n| {
                let mut draw = Draw::new(1, 1, n);
                let language = language(&mut draw);
                body(&mut draw, language)
            })
            .collect();
        for needle in [
            "👍", "\u{301}", "\u{200b}", "\u{202e}", "أين", "注文", "𝔘", "\r\n", "\u{2028}",
        ] {
            assert!(all.contains(needle), "no {needle:?}");
        }
        assert!(all.replace("\r\n", "").contains('\n'));
    }

    #[test]
    fn some_texts_are_empty_some_at_the_cap_and_some_over_it() {
        let lengths: Vec<usize> = (0..6000)
            .map(|n| body(&mut Draw::new(1, 1, n), "ja").chars().count())
            .collect();
        assert!(lengths.contains(&0));
        assert!(lengths.contains(&PREVIEW_CAP));
        assert!(lengths.contains(&(PREVIEW_CAP + 1)));
        assert!(lengths.iter().any(|length| *length > PREVIEW_CAP + 1));
    }

    #[test]
    fn html_escapes_what_the_text_holds() {
        let html = html("a < b & \"c\"\r\nd", &["x@y".to_owned()]);
        assert!(html.contains("<p>a &lt; b &amp; &quot;c&quot;</p>\r\n<p>d</p>"));
        assert!(html.contains("<img src=\"cid:x@y\""));
    }
}
