//! What a unit makes of what its guest reports.

mod outcomes;
mod refused;

use super::family;

#[test]
fn a_repetition_is_known_beside_what_a_connector_calls_its_parts() {
    for (ident, base) in [
        ("w:t1/message:m1#2/create", "w:t1/message:m1#2/create"),
        ("w:t1/message:m1#2/create#2", "w:t1/message:m1#2/create"),
        ("w:t1/message:m1#3/create~2", "w:t1/message:m1#3/create"),
        ("w:t1/a~b/create~2#2", "w:t1/a~b/create"),
        ("w:t1/a#b/create", "w:t1/a#b/create"),
    ] {
        assert_eq!(family(ident), base);
    }
}
