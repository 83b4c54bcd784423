//! Checks what a connector says of itself before anything relies on it.
//!
//! Not here: whether the operator grants what it asks for.

use std::collections::HashSet;

use transload_registry::Role;

use crate::contract::description::{self, Description, KindSupport};
use crate::contract::destination::AccountSupport;

/// The role that a description says.
pub(super) fn role_of(description: &Description) -> Role {
    match description.role {
        description::Role::Source => Role::Source,
        description::Role::Destination => Role::Destination,
    }
}

/// What is wrong with a description, all of it, in words for the connector's author. Empty if nothing is.
pub(super) fn problems(description: &Description, role: Role) -> Vec<String> {
    let mut found = Vec::new();
    let mut check = |holds: bool, problem: String| {
        if !holds {
            found.push(problem);
        }
    };
    let d = description;
    check(
        is_name(&d.name),
        format!(
            "name: {:?} must be lower case letters, digits and dashes, a letter first",
            d.name
        ),
    );
    check(
        semver::Version::parse(&d.version).is_ok(),
        format!("version: {:?} is no semantic version", d.version),
    );
    check(!d.title.trim().is_empty(), "title: is empty".to_owned());
    let said = role_of(d);
    check(
        said == role,
        format!("role: says {said}, but the component is a {role}"),
    );
    match serde_json::from_str::<serde_json::Value>(&d.config_schema) {
        Err(e) => check(false, format!("config-schema: is no JSON: {e}")),
        Ok(schema) => {
            if let Err(e) = jsonschema::validator_for(&schema) {
                check(false, format!("config-schema: is no JSON Schema: {e}"));
            }
        }
    }
    check(
        d.base_url
            .strip_prefix("https://")
            .is_some_and(|rest| !rest.is_empty()),
        format!("base-url: {:?} must begin with https://", d.base_url),
    );
    check(
        !d.base_url.contains("{secret:"),
        "base-url: must not hold a secret, settings only".to_owned(),
    );
    check(
        !d.auth.is_empty(),
        "auth: is empty; there must be a way to authenticate".to_owned(),
    );
    unique("auth", d.auth.iter().map(|a| a.name.as_str()), &mut check);
    for host in &d.hosts {
        check(
            is_host_pattern(&host.pattern),
            format!(
                "hosts: {:?} is no host name, nor one after `*.`",
                host.pattern
            ),
        );
    }
    check(
        !d.requests.is_empty(),
        "requests: is empty; nothing could be sent".to_owned(),
    );
    for (place, method, path) in d
        .requests
        .iter()
        .map(|r| ("requests", &r.method, &r.path))
        .chain(
            d.rate_rules
                .iter()
                .map(|r| ("rate-rules", &r.method, &r.path)),
        )
        .chain(
            d.rate_rules
                .iter()
                .flat_map(|r| &r.costs)
                .map(|c| ("rate-rules", &c.method, &c.path)),
        )
    {
        check(
            is_method(method),
            format!("{place}: method {method:?} must be upper case letters or `*`"),
        );
        check(
            is_path_pattern(path),
            format!("{place}: path {path:?} must begin with `/`, without query, space or `..`"),
        );
    }
    for answer in &d.refusals {
        check(
            (100..600).contains(&answer.status),
            format!("refusals: {} is no HTTP status", answer.status),
        );
    }
    for rule in &d.rate_rules {
        check(
            rule.limit > 0 && rule.per_ms > 0,
            format!(
                "rate-rules: {:?} must allow at least one request in some time",
                rule.name
            ),
        );
        for cost in rule.costs.iter().filter(|cost| cost.cost > rule.limit) {
            check(
                false,
                format!(
                    "rate-rules: {:?} has less than {} {} costs",
                    rule.name, cost.method, cost.path
                ),
            );
        }
        for header in &rule.headers {
            check(
                !header.numbers.is_empty(),
                format!(
                    "rate-rules: {:?} says nothing of the numbers in {:?}",
                    rule.name, header.name
                ),
            );
        }
    }
    unique(
        "rate-rules",
        d.rate_rules.iter().map(|r| r.name.as_str()),
        &mut check,
    );
    check_kinds(&d.kinds, role, &mut check);
    unique(
        "side-effects",
        d.side_effects.iter().map(|s| s.code.as_str()),
        &mut check,
    );
    found
}

/// What is wrong with a destination's correction of its description, as [`problems`].
pub(crate) fn support_problems(described: &Description, support: &AccountSupport) -> Vec<String> {
    let mut found = Vec::new();
    let mut check = |holds: bool, problem: String| {
        if !holds {
            found.push(problem);
        }
    };
    check_kinds(&support.kinds, Role::Destination, &mut check);
    for one in &support.kinds {
        check(
            described.kinds.iter().any(|known| known.kind == one.kind),
            format!("kinds: {:?} is not described", one.kind),
        );
    }
    found
}

fn check_kinds(kinds: &[KindSupport], role: Role, check: &mut impl FnMut(bool, String)) {
    for (at, support) in kinds.iter().enumerate() {
        check(
            role == Role::Source || support.batch_items > 0 && support.per_items > 0,
            format!(
                "kinds: {:?} has a batch or forecast of no items",
                support.kind
            ),
        );
        let mut earlier = kinds.iter().take(at);
        check(
            earlier.all(|earlier| earlier.kind != support.kind),
            format!("kinds: {:?} is there twice", support.kind),
        );
    }
}

fn unique<'a>(
    place: &str,
    names: impl Iterator<Item = &'a str>,
    check: &mut impl FnMut(bool, String),
) {
    let mut seen = HashSet::new();
    for name in names {
        check(
            seen.insert(name),
            format!("{place}: {name:?} is there twice"),
        );
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn is_method(method: &str) -> bool {
    method == "*" || (!method.is_empty() && method.chars().all(|c| c.is_ascii_uppercase()))
}

fn is_path_pattern(path: &str) -> bool {
    path.starts_with('/')
        && !path.contains(|c: char| c.is_whitespace() || c.is_control() || "?#\\".contains(c))
        && path.split('/').all(|segment| segment != "..")
}

/// At least two labels after a wildcard: `*.com` would grant half the world.
fn is_host_pattern(pattern: &str) -> bool {
    let (name, least) = match pattern.strip_prefix("*.") {
        Some(rest) => (rest, 2),
        None => (pattern, 1),
    };
    let label = |l: &str| {
        !l.is_empty()
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    name.split('.').all(label) && name.split('.').count() >= least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_patterns_are_names_with_at_most_a_leading_wildcard() {
        for good in ["files.example.com", "*.example.com", "localhost"] {
            assert!(is_host_pattern(good), "{good}");
        }
        for bad in [
            "*.com",
            "*",
            "",
            "https://example.com",
            "a.*.com",
            "example.com/x",
            "a b",
            "-a",
        ] {
            assert!(!is_host_pattern(bad), "{bad}");
        }
    }

    #[test]
    fn path_patterns_are_rooted_and_have_no_way_up() {
        for good in ["/api/v2/*/comments", "/**", "/a.b/c_d"] {
            assert!(is_path_pattern(good), "{good}");
        }
        for bad in ["api", "/a/../b", "/a?b=c", "/a b", ""] {
            assert!(!is_path_pattern(bad), "{bad}");
        }
    }
}
