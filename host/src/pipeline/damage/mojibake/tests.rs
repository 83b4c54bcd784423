use proptest::prelude::*;

use super::*;

/// UTF-8 shown as Windows-1252 shows it, undefined bytes as the controls of Latin-1.
fn as_1252(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            (0..=0x10_ffff_u32)
                .filter_map(char::from_u32)
                .take(0x2200)
                .find(|c| *c as u32 >= 0x100 && byte_1252(*c) == Some(byte))
                .unwrap_or(char::from(byte))
        })
        .collect()
}

/// UTF-8 shown as Latin-1 shows it.
fn as_latin1(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

/// What people write, in many languages, with the signs that come beside letters which are also bytes of UTF-8.
const ORDINARY: &[&str] = &[
    "Hi, where is my order? It's 20°C – really…",
    "Grüße aus Köln: „Das ist kein Spaß“, sagte er… ‚Ärger‘ – 5 µm, 3 × 4 = 12, ±2 °C",
    "„GROẞ“ und „STRAẞE“; SPAß“ und Spaß”; „Öl“, ÄRGER…, Ä…",
    "«Où est-il ?» — l’été, où ? À bientôt… «CAFÉ», CAFÉ”, “CAFÉ”, VOILÀ…»",
    "«là…» «café…» «voilà…» «Â», «Ê» et «Ç»: les lettres; À « NOËL » : Œuvre, œil, ŒUVRE",
    "CORAÇÃO» «IRMû “IRMÔ ‘MAÇÒ IRMÃ… MAÇÃ– NÃO! SÃO PAULO — AMANHû, amanhã…» amanhã…”",
    "¿Dónde está mi pedido? ¡Señor! «Ñandú» ÑU… ÁÉÍÓÚ» ÁÉÍÓÚ”",
    "Jag är från Åre. ÅÄÖ… ”PÅ” ’PÅ’ PÅ… TÄMÄ” HYVÄ… MÄ– Å… Å’ ÄÄÄ",
    "Øl og æble, «Å», Å…, ”Å” på øen; Ærø’s ØST» ÆØÅ”",
    "Úžasné! Úžas, Ýša, Íšan, Óža; Žluťoučký kůň úpěl ďábelské ódy „ÚŽ“ máš, ušž",
    "Šîvan, Äžer, Åsa; Đurđa Đorđević, ŽIVJELI, ÐŽ",
    "Ðað er gott. Þórður Ð… ÐÞ» „ÐÆ“ Ísland",
    "İstanbul’da RÜZGÂR” Â… LÂ, îmân… KÂR»",
    "ĐÃ… ĐẸP” tiếng Việt: đã…» CÂU” ÂM» Ă, Ơ, Ư; “Ấ”",
    "ROMÂNIA” Â» ȘI ÎN… încă» „Â“",
    "Привет, где мой заказ? «Рік», Рі, Сі, РЇ, «СССР» — Россия…",
    "Українська: Рік, Січ, Їжак, РІК» Єва; Беларуская: Ў, ЎСЁ",
    "Здравейте, как сте? Српски: Ђорђе, Љубав, Њега, Џеп; РЂ",
    "Ελληνικά: Πού είναι η παραγγελία μου; «Ώρα»…",
    "注文した商品がまだ届いていません。「カフェ」…",
    "我的订单在哪里？谢谢！“好的”……",
    "안녕하세요. 주문이 어디에 있나요?",
    "أين طلبي رقم 4417؟ «شكرًا»…",
    "איפה ההזמנה שלי? 2×½ ×¼ 3×4",
    "मेरा ऑर्डर कहाँ है? धन्यवाद…",
    "สินค้าของฉันอยู่ที่ไหน",
    "2½×3¼×¾ in., 5×½×¼, Ø£ 30 mm, ø±2, x√2, √π, n√x, 3√2±1, §4 ¶2, ©®™, a²+b²=c², 100 €, £5, ¥¢",
    "I ♥ it 👍 👩‍👩‍👧‍👦 🏳️‍🌈 — “quotes” ‘single’ †‡ • ‰ ‹›",
    "Ã is A with a tilde; so are ã, Â and â. Ä, Ö, Ü; Å.",
    "ɔ É” É… É» É’s “É” È” ‘È’ Ñ” Ò’ Ü– Ü— Þ” ß” ß… ß» ×” ×… ÷",
    "naïve café résumé… Zoë’s coöperation — “piñata” fiancée’s",
    "tags: À_traiter, ÿ, <urgent>; José 王, Siobhán, Łukasz, Søren",
    "├── src\n│   ├── main.rs\n└── target",
];

#[test]
fn ordinary_text_in_many_languages_is_not_flagged() {
    for text in ORDINARY {
        assert_eq!(find(text), None, "{text}");
        for word in text.split(' ') {
            assert_eq!(find(word), None, "{word} in {text}");
        }
    }
}

#[test]
fn text_of_many_languages_read_as_windows_1252_or_latin_1_is_flagged() {
    for text in [
        "Grüße aus Köln",
        "ÖSTERREICH",
        "Österreich",
        "à la carte",
        "déjà vu",
        "20°C",
        "5 £",
        "it’s",
        "wait…",
        "“quoted”",
        "a – b",
        "100 €",
        "niño",
        "São Paulo",
        "smörgås",
        "Žluťoučký kůň",
        "Привет",
        "Ελλάδα",
        "שלום",
        "مرحبا",
        "日本語",
        "谢谢",
        "안녕",
        "สวัสดี",
        "धन्यवाद",
        "👍",
        "no\u{a0}break",
        "\u{feff}begins",
        "broken \u{fffd}",
        "ghost: ™",
    ] {
        for damaged in [as_1252(text), as_latin1(text)] {
            let found = find(&damaged).unwrap_or_else(|| panic!("{text} as {damaged}"));
            assert_eq!(found.pattern, WINDOWS_1252, "{damaged}");
            assert!(found.count > 0 && damaged.is_char_boundary(found.at));
        }
    }
}

#[test]
fn other_misreadings_are_named() {
    let found = |text: &str| find(text).map(|misread| misread.pattern);
    assert_eq!(
        found("РџСЂРёРІРµС‚, РіРґРµ РјРѕР№ Р·Р°РєР°Р·?"),
        Some(WINDOWS_1251)
    );
    assert_eq!(found("it‚Äôs fine"), Some(MAC_ROMAN));
    assert_eq!(found("caf√© au lait"), Some(MAC_ROMAN));
    assert_eq!(found("a√±o"), Some(MAC_ROMAN));
    assert_eq!(found("锟斤拷锟斤拷"), Some(GBK));
}

#[test]
fn the_place_is_that_of_the_first_and_all_are_counted() {
    let text = "so far fine, then CafÃ© and naÃ¯ve";
    let found = find(text).unwrap();
    assert_eq!((found.at, found.count), (text.find('Ã').unwrap(), 2));
}

/// Letters of scripts that people write in, without those of the languages' own that Windows-1252 has.
fn script_text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "[a-zA-Z]{1,9}",
        "[а-яА-ЯёЁ]{1,9}",
        "[α-ωΑ-Ω]{1,9}",
        "[א-ת]{1,9}",
        "[ء-ي]{1,9}",
        "[ぁ-んァ-ヶ一-龯]{1,9}",
        "[가-힣]{1,9}",
        "[ก-ฮะ-ู]{1,9}",
        "[अ-ह]{1,9}",
        "[A-Z]?[a-zäöüßéèêëàâçîïôûùñáíóúãõåæøœšžþð]{1,9}",
    ];
    let between = prop_oneof![
        Just(" "),
        Just(", "),
        Just("… "),
        Just(" – "),
        Just(" — "),
        Just("’"),
        Just(" “"),
        Just("” "),
        Just(" «"),
        Just("» "),
        Just("\u{a0}"),
        Just("\n"),
        Just("! "),
    ];
    prop::collection::vec((word, between), 1..20).prop_map(|words| {
        words
            .into_iter()
            .map(|(word, after)| format!("{word}{after}"))
            .collect()
    })
}

/// Words in capitals, as headlines have them, and the signs behind them.
fn headline() -> impl Strategy<Value = String> {
    let word = "[A-ZÄÖÜÉÈÊÀÂÇÎÔÛÑÁÍÓÚÃÕÅÆØŒŠŽÞÐ]{2,9}";
    let after = prop_oneof![
        Just(" "),
        Just("… "),
        Just("» "),
        Just("” "),
        Just("’ "),
        Just(" – "),
        Just("! "),
        Just("™ "),
        Just("“ "),
    ];
    prop::collection::vec((word, after), 1..10).prop_map(|words| {
        words
            .into_iter()
            .map(|(word, after)| format!("{word}{after}"))
            .collect()
    })
}

proptest! {
    #[test]
    fn words_of_any_script_with_any_punctuation_are_not_flagged(text in script_text()) {
        prop_assert_eq!(find(&text), None, "{}", text);
    }

    #[test]
    fn words_in_capitals_with_any_punctuation_are_not_flagged(text in headline()) {
        prop_assert_eq!(find(&text), None, "{}", text);
    }

    #[test]
    fn a_word_of_another_script_read_as_latin_1_is_flagged(word in "[а-яА-Я]{4,12}|[α-ω]{4,12}|[א-ת]{4,12}|[一-龯]{4,9}|[가-힣]{4,9}") {
        prop_assert!(find(&as_latin1(&word)).is_some(), "{}", word);
    }

    #[test]
    fn any_text_can_be_looked_at(text in any::<String>()) {
        if let Some(found) = find(&text) {
            prop_assert!(text.is_char_boundary(found.at) && found.count > 0);
        }
    }
}
