//! Texts as HubSpot keeps them.

/// A text as two readings of it are compared: letters and digits only, which survive trimming and other line ends.
pub fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}
