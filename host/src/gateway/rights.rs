//! What a connector asks for, as lines a person says yes to, and what is left of it without that yes: the effective right is what is
//! wanted *and* granted, whatever its description says.

use std::collections::BTreeSet;

use transload_registry::{Right, RightClass, Rights, Want};

use super::SpecError;
use crate::contract::description::{
    Auth, AuthScheme, Description, HostGrant, RequestPattern, SideEffect, SideEffectSeverity,
};

/// What a connection's connector may do.
#[derive(Debug, Clone)]
pub enum Granted {
    /// What a person allowed.
    Only(Rights),
    /// All it asks for: its author tries it.
    Everything,
}

/// What a connector asks for that nobody allowed; the gateway refuses it and says so.
#[derive(Debug, Default)]
pub(super) struct Withheld {
    pub hosts: Vec<HostGrant>,
    pub requests: Vec<RequestPattern>,
}

impl Withheld {
    /// As rights are shown.
    pub fn lines(&self) -> Vec<String> {
        let hosts = self.hosts.iter().map(host);
        let requests = self.requests.iter().map(request);
        hosts
            .chain(requests)
            .map(|right| right.to_string())
            .collect()
    }
}

impl Granted {
    fn has(&self, right: &Right) -> bool {
        match self {
            Self::Only(rights) => rights.has(right),
            Self::Everything => true,
        }
    }

    /// Takes out of a description what was not granted.
    pub(super) fn narrow(
        &self,
        description: &mut Description,
        scheme: Option<&AuthScheme>,
    ) -> Result<Withheld, SpecError> {
        let needed = |right: Right| match self.has(&right) {
            true => Ok(()),
            false => Err(SpecError::NotGranted(right)),
        };
        needed(base(&description.base_url))?;
        // As it was declared, not as it was filled in.
        let declared =
            scheme.and_then(|scheme| description.auth.iter().find(|of| of.name == scheme.name));
        if let Some(declared) = declared {
            needed(credential(declared))?;
        }
        let mut withheld = Withheld::default();
        description.hosts.retain(|of| {
            let granted = self.has(&host(of));
            if !granted {
                withheld.hosts.push(of.clone());
            }
            granted
        });
        description.requests.retain(|of| {
            let granted = self.has(&request(of));
            if !granted {
                withheld.requests.push(of.clone());
            }
            granted
        });
        Ok(withheld)
    }
}

/// Everything that a connector asks for, in the order of its description.
#[must_use]
pub fn wants(description: &Description) -> Vec<Want> {
    let want = |right, purpose: &str| Want {
        right,
        purpose: purpose.to_owned(),
    };
    let mut wants = vec![want(base(&description.base_url), "the platform's API")];
    let hosts = description.hosts.iter();
    wants.extend(hosts.map(|of| want(host(of), &of.purpose)));
    let schemes = description.auth.iter();
    wants.extend(schemes.map(|of| want(credential(of), &of.title)));
    let requests = description.requests.iter();
    wants.extend(requests.map(|of| want(request(of), "")));
    let effects = description.side_effects.iter();
    wants.extend(effects.map(|of| want(effect(of), &of.title)));
    wants
}

fn right(class: RightClass, what: String) -> Right {
    Right { class, what }
}

fn base(url: &str) -> Right {
    right(RightClass::Base, url.to_owned())
}

fn host(of: &HostGrant) -> Right {
    let credential = match of.anonymous {
        true => "without credentials",
        false => "with the credential",
    };
    right(RightClass::Host, format!("{}, {credential}", of.pattern))
}

fn request(of: &RequestPattern) -> Right {
    let reads = match of.reads {
        true => ", only reads",
        false => "",
    };
    right(
        RightClass::Request,
        format!("{} {}{reads}", of.method, of.path),
    )
}

/// That something happens; what it is called and why it happens may be put better without being asked again.
fn effect(of: &SideEffect) -> Right {
    let severity = match of.severity {
        SideEffectSeverity::Info => "info",
        SideEffectSeverity::Caution => "caution",
        SideEffectSeverity::Danger => "danger",
    };
    right(RightClass::SideEffect, format!("{}, {severity}", of.code))
}

/// Which secrets go where, in which form.
fn credential(of: &AuthScheme) -> Right {
    let (form, templates): (String, Vec<&str>) = match &of.auth {
        Auth::Bearer(template) => ("a bearer token".to_owned(), vec![template]),
        Auth::Basic((user, password)) => ("user and password".to_owned(), vec![user, password]),
        Auth::Header((name, value)) => (format!("the header {name}"), vec![value]),
        Auth::ClientCredentials(oauth) | Auth::RefreshToken(oauth) => {
            let kind = match &of.auth {
                Auth::ClientCredentials(_) => "client credentials",
                _ => "a refresh token",
            };
            let mut templates = vec![oauth.client_id.as_str(), &oauth.client_secret];
            templates.extend(oauth.scope.as_deref());
            templates.extend(oauth.refresh_token.as_deref());
            templates.extend(oauth.extra.iter().map(|(_, value)| value.as_str()));
            (format!("OAuth2, {kind}, at {}", oauth.token_url), templates)
        }
        Auth::SignedJwt(jwt) => {
            let templates = vec![
                jwt.issuer.as_str(),
                &jwt.subject,
                &jwt.audience,
                &jwt.private_key,
            ];
            (
                format!("a signed JWT, exchanged at {}", jwt.token_url),
                templates,
            )
        }
    };
    let secrets: BTreeSet<&str> = templates.into_iter().flat_map(secrets).collect();
    let secrets: Vec<&str> = secrets.into_iter().collect();
    let from = match secrets.is_empty() {
        true => "no secret".to_owned(),
        false => secrets.join(", "),
    };
    right(
        RightClass::Credential,
        format!("{}: {form}, from {from}", of.name),
    )
}

/// The secrets that a template names.
fn secrets(template: &str) -> Vec<&str> {
    let parts = template.split("{secret:").skip(1);
    parts
        .filter_map(|part| part.split_once('}').map(|(name, _)| name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::description;

    fn lines(description: &Description) -> Vec<String> {
        let wants = wants(description);
        wants.iter().map(|want| want.right.to_string()).collect()
    }

    #[test]
    fn everything_a_connector_asks_for_is_a_line() {
        insta::assert_snapshot!(lines(&description("acme-desk")).join("\n"));
    }

    #[test]
    fn what_was_not_granted_is_taken_out_and_what_nothing_goes_without_is_an_error() {
        let all = wants(&description("acme-desk"));
        let without = |class: RightClass| -> Granted {
            let rights = all.iter().map(|want| want.right.clone());
            Granted::Only(rights.filter(|right| right.class != class).collect())
        };
        let narrowed = |granted: &Granted| {
            let mut described = description("acme-desk");
            let scheme = described.auth.first().cloned();
            let withheld = granted.narrow(&mut described, scheme.as_ref())?;
            Ok::<_, SpecError>((described, withheld))
        };
        let (described, withheld) = narrowed(&Granted::Only(Rights::all_of(&all))).unwrap();
        assert_eq!(described, description("acme-desk"));
        assert!(withheld.hosts.is_empty() && withheld.requests.is_empty());
        let (described, withheld) = narrowed(&without(RightClass::Host)).unwrap();
        assert_eq!((described.hosts.len(), withheld.hosts.len()), (0, 1));
        let (described, withheld) = narrowed(&without(RightClass::Request)).unwrap();
        assert_eq!((described.requests.len(), withheld.requests.len()), (0, 1));
        for class in [RightClass::Base, RightClass::Credential] {
            let error = narrowed(&without(class)).unwrap_err();
            assert!(matches!(error, SpecError::NotGranted(right) if right.class == class));
        }
    }

    #[test]
    fn a_host_that_would_get_the_credential_is_another_right() {
        let mut with = description("acme-desk");
        with.hosts[0].anonymous = false;
        let before = Rights::all_of(&wants(&description("acme-desk")));
        let after = wants(&with);
        let missing = before.missing(&after);
        assert_eq!(missing.len(), 1);
        assert_eq!(
            missing[0].right.to_string(),
            "host *.files.example, with the credential"
        );
    }
}
