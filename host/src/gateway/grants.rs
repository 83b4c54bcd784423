//! What a connection may reach: method and path on its own origin, further hosts by name, and addresses (invariant I-4,
//! rule M-5).
//!
//! A URL is parsed once, in its normal form: what is matched is what is sent. Decimal, octal and hexadecimal spellings of an
//! address, `..`, back-slashes and international names have one form by then. Every address is checked, whichever way the
//! name came: a base URL, a granted host, a redirect.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use url::{Host, Url};

use super::rights::Withheld;
use crate::contract::description::{HostGrant, RequestPattern, Role};
use crate::contract::http::Request;

/// Private addresses that the user's own configuration allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrivateGrant {
    /// Every address of a network, on any port: `10.1.0.0/16`.
    Network(IpAddr, u8),
    /// One host and port: `127.0.0.1:8080`, `helpdesk.internal:443`.
    HostPort(String, u16),
}

/// A private grant that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a network (10.0.0.0/8) nor a host with a port (127.0.0.1:8080)")]
pub struct PrivateGrantError(String);

impl std::str::FromStr for PrivateGrant {
    type Err = PrivateGrantError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || PrivateGrantError(text.to_owned());
        if let Some((net, bits)) = text.split_once('/') {
            let net: IpAddr = net.parse().map_err(|_| error())?;
            let bits: u8 = bits.parse().map_err(|_| error())?;
            let most = if net.is_ipv4() { 32 } else { 128 };
            return if bits <= most {
                Ok(Self::Network(net, bits))
            } else {
                Err(error())
            };
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(error)?;
        let port = port.parse().map_err(|_| error())?;
        if host.is_empty() {
            return Err(error());
        }
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Ok(Self::HostPort(host.to_ascii_lowercase(), port))
    }
}

/// Where a request goes, checked.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub url: Url,
    /// Names the grant in counters and logs: a path pattern, or a host.
    pub grant: String,
    /// The path that rate rules and patterns are matched against.
    pub path: String,
    /// Whether the connection's credential goes along.
    pub credential: bool,
    /// Changes something at the platform (rule D-2).
    pub mutating: bool,
}

/// Everything that decides about a URL.
#[derive(Debug)]
pub(super) struct Grants {
    pub role: Role,
    pub base: Url,
    /// The base's path without a slash at the end.
    prefix: String,
    requests: Vec<RequestPattern>,
    hosts: Vec<HostGrant>,
    /// Asked for by the connector, and not allowed by anybody.
    withheld: Withheld,
    private: Vec<PrivateGrant>,
    /// The user's settings name the base URL themselves, so that a loopback host is meant.
    base_is_explicit: bool,
    /// The header that carries the credential.
    credential_header: Option<String>,
}

impl Grants {
    pub fn new(
        role: Role,
        base_url: &str,
        base_is_explicit: bool,
        requests: Vec<RequestPattern>,
        hosts: Vec<HostGrant>,
        private: Vec<PrivateGrant>,
        credential_header: Option<String>,
    ) -> Result<Self, String> {
        let base = Url::parse(base_url).map_err(|e| format!("the base URL is malformed: {e}"))?;
        let prefix = base.path().trim_end_matches('/').to_owned();
        let credential_header = credential_header.map(|h| h.to_ascii_lowercase());
        let grants = Self {
            role,
            base,
            prefix,
            requests,
            hosts,
            withheld: Withheld::default(),
            private,
            base_is_explicit,
            credential_header,
        };
        grants.check_form(&grants.base)?;
        Ok(grants)
    }

    /// Names what the connector asked for in vain, in its refusals.
    pub fn withholding(mut self, withheld: Withheld) -> Self {
        self.withheld = withheld;
        self
    }

    /// Checks a guest's request in everything but addresses.
    pub fn target(&self, request: &Request) -> Result<Target, String> {
        self.check_headers(request)?;
        let method = request.method.as_str();
        if method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err("a method is upper-case letters".into());
        }
        if matches!(method, "CONNECT" | "TRACE") {
            return Err(format!("the method {method} is never granted"));
        }
        let mut target = self.resolve(method, &request.url)?;
        if request.anonymous {
            target.credential = false;
        }
        Ok(target)
    }

    /// A URL of a guest or a redirect, relative to the base or absolute.
    pub fn resolve(&self, method: &str, text: &str) -> Result<Target, String> {
        if text.chars().any(|c| c.is_control() || c == ' ') {
            return Err("the URL has a control character or a space".into());
        }
        let url = if text.starts_with('/') && !text.starts_with("//") {
            let base = self.base.as_str();
            let end = base
                .find(['?', '#'])
                .and_then(|i| base.get(..i))
                .unwrap_or(base);
            Url::parse(&format!("{}{text}", end.trim_end_matches('/')))
        } else {
            Url::parse(text)
        };
        let mut url = url.map_err(|e| format!("the URL is malformed: {e}"))?;
        url.set_fragment(None);
        self.check_form(&url)?;
        if url.origin() == self.base.origin()
            && let Some(path) = url.path().strip_prefix(self.prefix.as_str())
            && path.starts_with('/')
        {
            let path = path.to_owned();
            if let Some(pattern) = self.pattern(method, &path) {
                let mutating = !reading_method(method) && !pattern.reads;
                self.check_reading(mutating, method)?;
                let grant = pattern.path.clone();
                return Ok(Target {
                    url,
                    grant,
                    path,
                    credential: true,
                    mutating,
                });
            }
            if !self.hosts.iter().any(|h| self.host_matches(h, &url)) {
                let asked = self
                    .withheld
                    .requests
                    .iter()
                    .any(|of| pattern_fits(of, method, &path));
                return Err(format!(
                    "{method} {} is not granted{}",
                    shown(&path),
                    vainly(asked)
                ));
            }
        }
        let host = self.hosts.iter().find(|h| self.host_matches(h, &url));
        let Some(host) = host else {
            let name = url.host_str().unwrap_or_default();
            let asked = self
                .withheld
                .hosts
                .iter()
                .any(|h| self.host_matches(h, &url));
            return Err(format!(
                "the host {} is not granted{}",
                shown(name),
                vainly(asked)
            ));
        };
        let mutating = !reading_method(method);
        self.check_reading(mutating, method)?;
        let (grant, path) = (host.pattern.clone(), url.path().to_owned());
        Ok(Target {
            credential: !host.anonymous,
            url,
            grant,
            path,
            mutating,
        })
    }

    /// The name by which the user would have to allow the host of a link before it could be read; `None` if it can be, or if
    /// something else is wrong with it.
    pub fn foreign_host(&self, link: &str) -> Option<String> {
        if self.resolve("GET", link).is_ok() {
            return None;
        }
        let url = Url::parse(link).ok()?;
        let name = url.host_str().filter(|name| !name.is_empty())?;
        let name = match (url.scheme(), url.port()) {
            ("https", None) => name.to_owned(),
            // Plain text and other ports are granted by the port.
            ("https" | "http", _) => format!("{name}:{}", url.port_or_known_default()?),
            _ => return None,
        };
        let reaches = url.scheme() == "https" || self.plain_allowed(&url);
        let granted = reaches && self.hosts.iter().any(|h| self.host_matches(h, &url));
        (!granted).then(|| shown(&name))
    }

    /// Scheme, user, path: what holds for every URL, granted or not.
    pub fn check_form(&self, url: &Url) -> Result<(), String> {
        match url.scheme() {
            "https" => {}
            "http" if self.plain_allowed(url) => {}
            "http" => return Err("only https is granted".into()),
            other => return Err(format!("the scheme {} is not granted", shown(other))),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a URL must not carry a user or a password".into());
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err("the URL has no host".into());
        }
        // A server may decode before it routes: `/a/..%2f..%2fadmin` must not pass for one segment.
        let decoded = decode(&decode(url.path()));
        if decoded.split(['/', '\\']).any(|part| part == "..") {
            return Err("the path leads upwards".into());
        }
        if decoded.chars().any(char::is_control) {
            return Err("the path has a control character".into());
        }
        Ok(())
    }

    fn plain_allowed(&self, url: &Url) -> bool {
        if self.private_host(url) {
            return true;
        }
        let loopback = match url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        self.base_is_explicit && loopback && url.origin() == self.base.origin()
    }

    fn private_host(&self, url: &Url) -> bool {
        let Some(port) = url.port_or_known_default() else {
            return false;
        };
        let host = bare_host(url);
        let ip: Option<IpAddr> = host.parse().ok();
        self.private.iter().any(|grant| match grant {
            PrivateGrant::HostPort(name, p) => *p == port && *name == host,
            PrivateGrant::Network(net, bits) => ip.is_some_and(|ip| in_network(ip, *net, *bits)),
        })
    }

    /// Whether an address that `url`'s host resolved to may be dialled.
    pub fn check_address(&self, url: &Url, address: SocketAddr) -> Result<(), String> {
        let ip = address.ip();
        if is_public(ip) || self.private_host(url) {
            return Ok(());
        }
        let granted = self.private.iter().any(|grant| match grant {
            PrivateGrant::Network(net, bits) => in_network(ip, *net, *bits),
            PrivateGrant::HostPort(..) => false,
        });
        if granted || (ip.is_loopback() && self.is_explicit_base(url)) {
            return Ok(());
        }
        let name = url.host_str().unwrap_or_default();
        Err(format!(
            "the host {} leads to an address that is not public",
            shown(name)
        ))
    }

    /// The user named this very loopback host as the connection's base.
    fn is_explicit_base(&self, url: &Url) -> bool {
        let named = matches!(bare_host(url).as_str(), "localhost" | "::1")
            || bare_host(url)
                .parse::<Ipv4Addr>()
                .is_ok_and(|ip| ip.is_loopback());
        self.base_is_explicit && named && url.origin() == self.base.origin()
    }

    fn check_reading(&self, mutating: bool, method: &str) -> Result<(), String> {
        if mutating && self.role == Role::Source {
            return Err(format!(
                "a source only reads; {method} here is not declared as reading"
            ));
        }
        Ok(())
    }

    fn pattern(&self, method: &str, path: &str) -> Option<&RequestPattern> {
        let fits = |p: &&RequestPattern| pattern_fits(p, method, path);
        // A pattern that says "reads" is the narrower promise and wins over a general one.
        let mut fitting = self.requests.iter().filter(fits);
        let first = fitting.next()?;
        Some(if first.reads {
            first
        } else {
            fitting.find(|p| p.reads).unwrap_or(first)
        })
    }

    fn host_matches(&self, grant: &HostGrant, url: &Url) -> bool {
        let host = bare_host(url);
        let pattern = grant.pattern.to_ascii_lowercase();
        let (pattern, port) = match pattern.rsplit_once(':') {
            Some((name, port)) if port.parse::<u16>().is_ok() => (name, port.parse().ok()),
            _ => (pattern.as_str(), None),
        };
        let default = url.port().is_none();
        let port_fits = match port {
            Some(port) => url.port_or_known_default() == Some(port),
            None => default || self.private_host(url),
        };
        let name_fits = match pattern.strip_prefix("*.") {
            Some(suffix) => {
                matches!(url.host(), Some(Host::Domain(_)))
                    && host
                        .strip_suffix(suffix)
                        .is_some_and(|left| left.len() > 1 && left.ends_with('.'))
            }
            None => host == pattern,
        };
        port_fits && name_fits
    }

    fn check_headers(&self, request: &Request) -> Result<(), String> {
        for header in &request.headers {
            let name = header.name.to_ascii_lowercase();
            let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
            if name.is_empty() || !name.bytes().all(token) {
                return Err("a header's name is malformed".into());
            }
            if header.value.chars().any(|c| c.is_control() && c != '\t') {
                return Err(format!("the header {name} has a control character"));
            }
            if FORBIDDEN.contains(&name.as_str()) || self.credential_header.as_ref() == Some(&name)
            {
                return Err(format!("the header {name} belongs to the host"));
            }
        }
        Ok(())
    }
}

/// Headers that are the host's: credentials, framing, compression (which the host undoes), routing, and ways to smuggle
/// another method.
const FORBIDDEN: &[&str] = &[
    "accept-encoding",
    "authorization",
    "proxy-authorization",
    "cookie",
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

/// What a refusal says of something that the connector declares, but that nobody allowed it.
fn vainly(asked: bool) -> &'static str {
    match asked {
        true => {
            ": the plugin asks for it, but nobody allowed it; `transload plugin grant` shows what it asks for"
        }
        false => "",
    }
}

fn pattern_fits(of: &RequestPattern, method: &str, path: &str) -> bool {
    method_matches(&of.method, method) && path_matches(&of.path, path)
}

pub(super) fn reading_method(method: &str) -> bool {
    matches!(method, "GET" | "HEAD")
}

/// `*` is any method; whoever may GET may HEAD.
pub(super) fn method_matches(pattern: &str, method: &str) -> bool {
    pattern == "*" || pattern == method || (pattern == "GET" && method == "HEAD")
}

/// `*` is one segment or a part of one, `**` any number of segments.
pub(super) fn path_matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').filter(|s| !s.is_empty()).collect();
    let path: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    segments_match(&pattern, &path)
}

fn segments_match(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), None) => segments_match(rest, path),
        (Some((&"**", rest)), Some((_, tail))) => {
            segments_match(rest, path) || segments_match(pattern, tail)
        }
        (Some((first, rest)), Some((segment, tail))) => {
            glob(first.as_bytes(), segment.as_bytes()) && segments_match(rest, tail)
        }
        _ => false,
    }
}

/// One segment against one pattern, in linear space and without backtracking over more than the last star.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if text.get(t) == Some(byte) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|b| *b == b'*')
}

fn bare_host(url: &Url) -> String {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.to_string(),
        Some(Host::Ipv6(ip)) => ip.to_string(),
        Some(Host::Domain(name)) => name.trim_end_matches('.').to_ascii_lowercase(),
        None => String::new(),
    }
}

fn in_network(ip: IpAddr, net: IpAddr, bits: u8) -> bool {
    let shift = |width: u32| width.saturating_sub(u32::from(bits));
    match (ip, net) {
        (IpAddr::V4(ip), IpAddr::V4(net)) => {
            let mask = u32::MAX.checked_shl(shift(32)).unwrap_or(0);
            ip.to_bits() & mask == net.to_bits() & mask
        }
        (IpAddr::V6(ip), IpAddr::V6(net)) => {
            let mask = u128::MAX.checked_shl(shift(128)).unwrap_or(0);
            ip.to_bits() & mask == net.to_bits() & mask
        }
        _ => false,
    }
}

/// Whether an address is one of the public internet. Whatever embeds an IPv4 address is refused whole: nobody publishes a
/// name that way.
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => public_v4(ip),
        IpAddr::V6(ip) => public_v6(ip),
    }
}

fn public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast()
        || ip.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19)))
}

fn public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    // Global unicast is 2000::/3; of it, 2001::/23 (special purposes), 2001:db8::/32 (documentation) and 2002::/16 (6to4)
    // are no hosts of their own.
    (a & 0xe000) == 0x2000 && a != 0x2002 && !(a == 0x2001 && (b < 0x200 || b == 0xdb8))
}

fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let Some((first, rest)) = bytes.split_first() {
        let hex = (*first == b'%').then(|| rest.get(..2)).flatten();
        let value = hex.and_then(|h| std::str::from_utf8(h).ok());
        match value.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                bytes = rest.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                bytes = rest;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A guest's text in a message: short and printable.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}
