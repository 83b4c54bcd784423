//! The signed list of what a registry has.
//!
//! An index is JSON within an envelope that signs its text as it stands, so that nothing depends on how JSON is written. Each is
//! one higher than the one before, and each ends: a reader that has seen number 7 takes no 6 (*rollback*), no other 7 (*fork*), and
//! nothing past its end (*freeze*: somebody shows an old list for ever). It names the keys that may sign the next one.
//!
//! What is signed is `transload-index-v1`, a line feed, and the text.

use std::collections::BTreeMap;

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::component::Role;
use crate::metadata::Metadata;
use crate::registry::digest;
use crate::sign::{PublicKey, SecretKey, SignError, Signature};
use crate::spec::Spec;
use crate::trust::{KnownRegistry, Trust};

/// The first line of what is signed.
pub const INDEX_FORMAT: &str = "transload-index-v1";
/// How long an index is good for when nobody says otherwise, ms: 30 days.
pub const INDEX_LIFETIME: i64 = 30 * DAY;
/// A longer life would let an old list be shown for as long.
pub const LONGEST_LIFETIME: i64 = 366 * DAY;
/// How far a maker's clock may be ahead of ours.
const AHEAD: i64 = DAY;
const DAY: i64 = 24 * 60 * 60 * 1000;

/// What a registry has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// [`INDEX_FORMAT`]
    pub format: String,
    /// One more than the one before.
    pub number: u64,
    /// When it was made, ms since 1970.
    pub made_at: i64,
    /// Till when it may be believed, ms since 1970.
    pub expires_at: i64,
    /// Who may sign the next.
    pub keys: Vec<PublicKey>,
    /// By name, then version.
    pub packages: Vec<Entry>,
}

/// One version of one package.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// `zendesk`, or with its publisher `acme/helpdesk`.
    pub name: String,
    /// Of the connector.
    pub version: Version,
    /// Source or destination.
    pub role: Role,
    /// For people.
    pub title: String,
    /// The contract it was built for.
    pub contract: Version,
    /// Of the component, hex.
    pub sha256: String,
    /// Of the component, bytes.
    pub size: u64,
    /// The publisher's.
    pub signature: Signature,
    /// From the component's own sections.
    #[serde(default)]
    pub metadata: Metadata,
    /// What it says of itself.
    pub describe: serde_json::Value,
    /// sha-256 of the result of its conformance tests, where it was published with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conformance: Option<String>,
    /// Not for new installations: it stays for those who have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yanked: Option<Mark>,
    /// Taken back: nobody is to run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Mark>,
}

/// When a version was yanked or revoked, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// ms since 1970.
    pub at: i64,
    /// For people.
    pub reason: String,
}

/// An index as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    index: String,
    signatures: Vec<IndexSignature>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IndexSignature {
    key: PublicKey,
    signature: String,
}

/// Why an index is not believed, or cannot be changed so.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Not in its form.
    #[error("the index of {registry} is damaged: {problem}")]
    Malformed {
        /// Its address.
        registry: String,
        /// What is wrong.
        problem: String,
    },
    /// No signature by a key that counts.
    #[error("the index of {registry} is not signed by a key that this folder of packages knows: {}", listed(.keys))]
    NotSigned {
        /// Its address.
        registry: String,
        /// Who would do.
        keys: Vec<PublicKey>,
    },
    /// Older than what was seen before.
    #[error(
        "the index of {registry} is number {found}, but number {seen} was seen before: somebody shows an older list (rollback)"
    )]
    Rollback {
        /// Its address.
        registry: String,
        /// The number.
        found: u64,
        /// The newest before.
        seen: u64,
    },
    /// Two of one number.
    #[error(
        "the index of {registry} is another number {number} than the one that was seen before: two lists were signed, and one of them hides something (fork)"
    )]
    Fork {
        /// Its address.
        registry: String,
        /// The number.
        number: u64,
    },
    /// Past its end.
    #[error(
        "the index of {registry} ended {days} days ago: it was not renewed, or somebody shows an old list (freeze)"
    )]
    Expired {
        /// Its address.
        registry: String,
        /// Days since.
        days: i64,
    },
    /// Made later than now.
    #[error(
        "the index of {registry} was made {days} days from now: this machine's clock is behind, or the maker's is ahead"
    )]
    FromTheFuture {
        /// Its address.
        registry: String,
        /// Days until.
        days: i64,
    },
    /// A signature of a package in it is false.
    #[error("the index of {registry}: {source}")]
    Signature {
        /// Its address.
        registry: String,
        /// What is wrong.
        #[source]
        source: SignError,
    },
    /// The name is somebody else's here.
    #[error("{name} is published by {owner} here; {key} cannot publish, yank or revoke it")]
    NotYours {
        /// The package.
        name: String,
        /// Whose it is.
        owner: PublicKey,
        /// Who tried.
        key: PublicKey,
    },
    /// Who signs is not among those who may.
    #[error("{key} may not sign the next index; {} may", listed(.may))]
    MayNotSign {
        /// Who tried.
        key: PublicKey,
        /// Who may.
        may: Vec<PublicKey>,
    },
    /// A version is there with other bytes, or again.
    #[error("{package} is published already{}", if *.same { " with these very bytes" } else { ", with other contents; a version never changes" })]
    AlreadyThere {
        /// `name@version`
        package: String,
        /// The same bytes.
        same: bool,
    },
    /// No such version.
    #[error("{registry} has no {package}{}", if .there.is_empty() { String::new() } else { format!("; there is {}", .there.join(", ")) })]
    Unknown {
        /// Its address.
        registry: String,
        /// As asked.
        package: String,
        /// What is there of that name, or which names are.
        there: Vec<String>,
    },
    /// Only what was yanked or revoked would do.
    #[error("{registry}: {package} was {how}: {reason}")]
    Withdrawn {
        /// Its address.
        registry: String,
        /// `name@version`
        package: String,
        /// `yanked` or `revoked`
        how: &'static str,
        /// Why.
        reason: String,
    },
}

fn listed(keys: &[PublicKey]) -> String {
    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    keys.join(", ")
}

impl Entry {
    /// `name@version`
    #[must_use]
    pub fn package(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

impl Index {
    /// The first index of a registry, empty.
    #[must_use]
    pub fn first(key: PublicKey) -> Self {
        Self {
            format: INDEX_FORMAT.to_owned(),
            number: 0,
            made_at: 0,
            expires_at: 0,
            keys: vec![key],
            packages: vec![],
        }
    }

    /// Opens an envelope and checks what can be checked without knowing the registry: a signature by one of the keys it names
    /// itself or, where `known`, by one of those; that it is no older than what was seen, and not past its end.
    ///
    /// # Errors
    /// [`IndexError`]
    pub fn open(
        registry: &str,
        bytes: &[u8],
        known: Option<&KnownRegistry>,
        now: i64,
    ) -> Result<Self, IndexError> {
        let index = Self::open_to_change(registry, bytes, known)?;
        let days = |ms: i64| ms.div_euclid(DAY);
        if index.made_at > now.saturating_add(AHEAD) {
            return Err(IndexError::FromTheFuture {
                registry: registry.to_owned(),
                days: days(index.made_at - now),
            });
        }
        if index.expires_at < now {
            return Err(IndexError::Expired {
                registry: registry.to_owned(),
                days: days(now - index.expires_at),
            });
        }
        Ok(index)
    }

    /// As [`Index::open`], also past its end: whoever renews it must read it.
    ///
    /// # Errors
    /// [`IndexError`]
    pub fn open_to_change(
        registry: &str,
        bytes: &[u8],
        known: Option<&KnownRegistry>,
    ) -> Result<Self, IndexError> {
        let malformed = |problem: String| IndexError::Malformed {
            registry: registry.to_owned(),
            problem,
        };
        let envelope: Envelope =
            serde_json::from_slice(bytes).map_err(|e| malformed(e.to_string()))?;
        let index: Self =
            serde_json::from_str(&envelope.index).map_err(|e| malformed(e.to_string()))?;
        if index.format != INDEX_FORMAT {
            return Err(malformed(format!("its format is {:?}", index.format)));
        }
        let keys = known.map_or(&index.keys, |known| &known.keys);
        let text = signed(&envelope.index);
        let holds = envelope
            .signatures
            .iter()
            .any(|of| keys.contains(&of.key) && of.key.has_signed(text.as_bytes(), &of.signature));
        if !holds {
            return Err(IndexError::NotSigned {
                registry: registry.to_owned(),
                keys: keys.clone(),
            });
        }
        if let Some(known) = known {
            if index.number < known.number {
                return Err(IndexError::Rollback {
                    registry: registry.to_owned(),
                    found: index.number,
                    seen: known.number,
                });
            }
            if index.number == known.number && digest(envelope.index.as_bytes()) != known.sha256 {
                return Err(IndexError::Fork {
                    registry: registry.to_owned(),
                    number: index.number,
                });
            }
        }
        if index.expires_at.saturating_sub(index.made_at) > LONGEST_LIFETIME {
            return Err(malformed(
                "it would be good for more than a year".to_owned(),
            ));
        }
        let mut last: Option<(&str, &Version)> = None;
        for entry in &index.packages {
            // A name becomes a path in a folder.
            crate::spec::check_name(&entry.name).map_err(|e| malformed(e.to_string()))?;
            let signature = &entry.signature;
            signature
                .verify(&entry.name, &entry.version, &entry.sha256)
                .map_err(|source| IndexError::Signature {
                    registry: registry.to_owned(),
                    source,
                })?;
            let here = (entry.name.as_str(), &entry.version);
            if last.is_some_and(|last| last >= here) {
                return Err(malformed(format!(
                    "{} is not in its place",
                    entry.package()
                )));
            }
            last = Some(here);
        }
        Ok(index)
    }

    /// The next index, signed, as bytes: one number higher, good from now.
    ///
    /// # Errors
    /// [`IndexError::MayNotSign`]
    pub fn seal(
        &mut self,
        key: &SecretKey,
        now: i64,
        lifetime: i64,
    ) -> Result<Vec<u8>, IndexError> {
        if !self.keys.contains(&key.public()) {
            return Err(IndexError::MayNotSign {
                key: key.public(),
                may: self.keys.clone(),
            });
        }
        self.number += 1;
        self.made_at = now;
        self.expires_at = now.saturating_add(lifetime.clamp(0, LONGEST_LIFETIME));
        let malformed = |e: serde_json::Error| IndexError::Malformed {
            registry: "the new index".to_owned(),
            problem: e.to_string(),
        };
        let text = serde_json::to_string(self).map_err(malformed)?;
        let signature = key.sign_bytes(signed(&text).as_bytes());
        let envelope = Envelope {
            index: text,
            signatures: vec![IndexSignature {
                key: key.public(),
                signature,
            }],
        };
        let mut bytes = serde_json::to_vec_pretty(&envelope).map_err(malformed)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Puts a version in.
    ///
    /// # Errors
    /// [`IndexError::AlreadyThere`], [`IndexError::NotYours`]
    pub fn add(&mut self, entry: Entry) -> Result<(), IndexError> {
        self.owned(&entry.name, entry.signature.key)?;
        let place = self
            .packages
            .binary_search_by(|of| (&of.name, &of.version).cmp(&(&entry.name, &entry.version)));
        match place {
            Ok(place) => Err(IndexError::AlreadyThere {
                package: entry.package(),
                same: self
                    .packages
                    .get(place)
                    .is_some_and(|there| there.sha256 == entry.sha256),
            }),
            Err(place) => {
                self.packages.insert(place, entry);
                Ok(())
            }
        }
    }

    /// A version, to be marked by whoever owns the name.
    ///
    /// # Errors
    /// [`IndexError::Unknown`], [`IndexError::NotYours`]
    pub fn entry_of(
        &mut self,
        registry: &str,
        name: &str,
        version: &Version,
        key: PublicKey,
    ) -> Result<&mut Entry, IndexError> {
        self.owned(name, key)?;
        let there = self.versions(name);
        self.packages
            .iter_mut()
            .find(|entry| entry.name == name && entry.version == *version)
            .ok_or_else(|| IndexError::Unknown {
                registry: registry.to_owned(),
                package: format!("{name}@{version}"),
                there,
            })
    }

    /// A name belongs to the key that published it first.
    fn owned(&self, name: &str, key: PublicKey) -> Result<(), IndexError> {
        let owner = self.packages.iter().find(|of| of.name == name);
        match owner.map(|of| of.signature.key) {
            Some(owner) if owner != key => Err(IndexError::NotYours {
                name: name.to_owned(),
                owner,
                key,
            }),
            _ => Ok(()),
        }
    }

    fn versions(&self, name: &str) -> Vec<String> {
        let of = self.packages.iter().rev().filter(|of| of.name == name);
        of.map(|of| of.version.to_string()).collect()
    }

    /// The highest version that will do and was not withdrawn. One that was yanked is taken if it is asked for by its exact
    /// version, one that was revoked never.
    ///
    /// # Errors
    /// [`IndexError::Unknown`], [`IndexError::Withdrawn`]
    pub fn resolve(&self, registry: &str, spec: &Spec) -> Result<&Entry, IndexError> {
        let exact = |version: &Version| matches!(spec.versions.comparators.as_slice(), [only] if only.op == semver::Op::Exact && only.patch == Some(version.patch));
        let fitting = |of: &&Entry| of.name == spec.name && spec.matches(&of.version);
        let mut named: Vec<&Entry> = self.packages.iter().filter(fitting).collect();
        named.sort_by(|a, b| b.version.cmp(&a.version));
        let good = named
            .iter()
            .find(|of| of.revoked.is_none() && (of.yanked.is_none() || exact(&of.version)));
        if let Some(good) = good {
            return Ok(good);
        }
        let withdrawn = named.first().and_then(|of| {
            let revoked = of.revoked.as_ref().map(|mark| ("revoked", mark));
            let (how, mark) = revoked.or(of.yanked.as_ref().map(|mark| ("yanked", mark)))?;
            Some(IndexError::Withdrawn {
                registry: registry.to_owned(),
                package: of.package(),
                how,
                reason: mark.reason.clone(),
            })
        });
        Err(withdrawn.unwrap_or_else(|| {
            let mut there = self.versions(&spec.name);
            if there.is_empty() {
                let mut names: Vec<String> =
                    self.packages.iter().map(|of| of.name.clone()).collect();
                names.dedup();
                there = names;
            }
            IndexError::Unknown {
                registry: registry.to_owned(),
                package: spec.to_string(),
                there,
            }
        }))
    }

    /// Every version that was revoked, by its digest.
    #[must_use]
    pub fn revoked(&self) -> BTreeMap<&str, (&Entry, &Mark)> {
        let of = self.packages.iter();
        of.filter_map(|of| Some((of.sha256.as_str(), (of, of.revoked.as_ref()?))))
            .collect()
    }

    /// The version that a new one has to be compatible with: the highest below it in its series that was not revoked.
    #[must_use]
    pub fn before(&self, name: &str, version: &Version) -> Option<&Entry> {
        let plain = Version::new(version.major, version.minor, version.patch);
        let in_series = |of: &Version| same_series(of, &plain);
        self.packages
            .iter()
            .filter(|of| of.name == name && of.version < *version && of.revoked.is_none())
            .filter(|of| of.version.pre.is_empty() && in_series(&of.version))
            .max_by(|a, b| a.version.cmp(&b.version))
    }
}

impl Trust {
    /// Remembers an index that was opened: its keys, its number, what it revokes. Returns what was not known to be revoked.
    pub fn remember(
        &mut self,
        registry: &str,
        bytes: &[u8],
        index: &Index,
        now: i64,
    ) -> Vec<String> {
        let text = serde_json::from_slice::<Envelope>(bytes)
            .map(|e| e.index)
            .unwrap_or_default();
        self.registries.insert(
            registry.to_owned(),
            KnownRegistry {
                keys: index.keys.clone(),
                number: index.number,
                sha256: digest(text.as_bytes()),
                seen_at: now,
            },
        );
        let mut news = vec![];
        for (sha256, (entry, mark)) in index.revoked() {
            // Whoever keeps a registry can only speak for those who publish in it.
            let ours = self.of(&entry.name).key == Some(entry.signature.key);
            if ours && !self.revoked.contains_key(sha256) {
                news.push(entry.package());
                self.revoked.insert(
                    sha256.to_owned(),
                    crate::trust::Revoked {
                        package: entry.package(),
                        reason: mark.reason.clone(),
                        by: registry.to_owned(),
                        allowed: false,
                    },
                );
            }
        }
        news
    }
}

/// Whether whoever asks for `^lower` also takes `higher`.
#[must_use]
pub fn same_series(lower: &Version, higher: &Version) -> bool {
    let text = format!("^{}.{}.{}", lower.major, lower.minor, lower.patch);
    semver::VersionReq::parse(&text).is_ok_and(|series| series.matches(higher))
}

fn signed(text: &str) -> String {
    format!("{INDEX_FORMAT}\n{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "file:///registry";
    const NOW: i64 = 1_800_000_000_000;

    fn entry(key: &SecretKey, name: &str, version: &str) -> Entry {
        let version = Version::parse(version).expect("version");
        let sha256 = digest(format!("{name}{version}").as_bytes());
        Entry {
            signature: key.sign(name, &version, &sha256),
            name: name.to_owned(),
            version,
            role: Role::Source,
            title: "A desk".to_owned(),
            contract: Version::new(0, 1, 0),
            sha256,
            size: 1,
            metadata: Metadata::default(),
            describe: serde_json::json!({}),
            conformance: None,
            yanked: None,
            revoked: None,
        }
    }

    fn mark() -> Option<Mark> {
        Some(Mark {
            at: NOW,
            reason: "it loses files".to_owned(),
        })
    }

    fn known(bytes: &[u8], index: &Index) -> KnownRegistry {
        let mut trust = Trust::default();
        trust.remember(AT, bytes, index, NOW);
        trust.registries.remove(AT).expect("remembered")
    }

    fn code(result: Result<Index, IndexError>) -> String {
        format!("{:?}", result.expect_err("refused"))
            .split([' ', '{'])
            .next()
            .unwrap_or_default()
            .to_owned()
    }

    #[test]
    fn an_older_another_or_an_ended_index_is_known_for_what_it_is() {
        let key = SecretKey::generate();
        let mut index = Index::first(key.public());
        let first = index.seal(&key, NOW, INDEX_LIFETIME).expect("sealed");
        let mut other = index.clone();
        index.add(entry(&key, "desk", "1.0.0")).expect("added");
        let second = index.seal(&key, NOW, INDEX_LIFETIME).expect("sealed");
        let twin = other.seal(&key, NOW, INDEX_LIFETIME).expect("sealed");

        let opened = Index::open(AT, &first, None, NOW).expect("first");
        let after_first = known(&first, &opened);
        let opened = Index::open(AT, &second, Some(&after_first), NOW).expect("newer");
        assert_eq!(opened, index);
        let after_second = known(&second, &opened);
        Index::open(AT, &second, Some(&after_second), NOW).expect("the same again");

        assert_eq!(
            code(Index::open(AT, &first, Some(&after_second), NOW)),
            "Rollback"
        );
        assert_eq!(
            code(Index::open(AT, &twin, Some(&after_second), NOW)),
            "Fork"
        );
        let late = NOW + INDEX_LIFETIME + 3 * DAY;
        assert_eq!(
            code(Index::open(AT, &second, Some(&after_second), late)),
            "Expired"
        );
        assert_eq!(
            code(Index::open(AT, &second, None, NOW - 2 * DAY)),
            "FromTheFuture"
        );
        Index::open_to_change(AT, &second, Some(&after_second)).expect("to renew it");
    }

    #[test]
    fn only_those_whom_the_former_index_names_sign_the_next() {
        let (key, other) = (SecretKey::generate(), SecretKey::generate());
        let mut index = Index::first(key.public());
        let bytes = index.seal(&key, NOW, INDEX_LIFETIME).expect("sealed");
        let seen = known(&bytes, &index);
        assert!(matches!(
            index.seal(&other, NOW, INDEX_LIFETIME),
            Err(IndexError::MayNotSign { .. })
        ));
        // Somebody makes an index of their own and calls it the next.
        let mut theirs = Index::first(other.public());
        theirs.number = 7;
        let bytes = theirs.seal(&other, NOW, INDEX_LIFETIME).expect("sealed");
        assert_eq!(code(Index::open(AT, &bytes, Some(&seen), NOW)), "NotSigned");
        // Handed over: the former index names both, the next is the other's.
        index.keys.push(other.public());
        let bytes = index.seal(&key, NOW, INDEX_LIFETIME).expect("sealed");
        let opened = Index::open(AT, &bytes, Some(&seen), NOW).expect("by the first");
        let seen = known(&bytes, &opened);
        let bytes = index.seal(&other, NOW, INDEX_LIFETIME).expect("sealed");
        Index::open(AT, &bytes, Some(&seen), NOW).expect("by the second");
    }

    #[test]
    fn no_byte_of_an_index_can_be_changed() {
        let key = SecretKey::generate();
        let mut index = Index::first(key.public());
        index.add(entry(&key, "desk", "1.0.0")).expect("added");
        let bytes = index.seal(&key, NOW, INDEX_LIFETIME).expect("sealed");
        let text = String::from_utf8(bytes).expect("text");
        for (from, to) in [
            ("1.0.0", "1.0.1"),
            ("A desk", "A task"),
            ("\\\"number\\\":1", "\\\"number\\\":9"),
        ] {
            let changed = text.replace(from, to);
            assert_ne!(changed, text, "{from}");
            assert!(
                Index::open(AT, changed.as_bytes(), None, NOW).is_err(),
                "{from}"
            );
        }
        assert_eq!(code(Index::open(AT, b"{}", None, NOW)), "Malformed");
        // An honest registry with a dishonest entry: the publisher never signed that digest.
        let other = SecretKey::generate();
        let mut lying = Index::first(key.public());
        let mut theirs = entry(&other, "desk", "1.0.0");
        theirs.sha256 = digest(b"something else");
        lying.packages.push(theirs);
        let bytes = lying.seal(&key, NOW, INDEX_LIFETIME).expect("sealed");
        assert_eq!(code(Index::open(AT, &bytes, None, NOW)), "Signature");
    }

    #[test]
    fn a_name_belongs_to_whoever_published_it_first_and_a_version_never_changes() {
        let (key, other) = (SecretKey::generate(), SecretKey::generate());
        let mut index = Index::first(key.public());
        index.add(entry(&key, "desk", "1.0.0")).expect("added");
        assert!(matches!(
            index.add(entry(&other, "desk", "1.1.0")),
            Err(IndexError::NotYours { .. })
        ));
        assert!(matches!(
            index.add(entry(&key, "desk", "1.0.0")),
            Err(IndexError::AlreadyThere { same: true, .. })
        ));
        index
            .add(entry(&other, "acme/desk", "1.0.0"))
            .expect("another name");
        let version = Version::new(1, 0, 0);
        assert!(
            index
                .entry_of(AT, "desk", &version, other.public())
                .is_err()
        );
        index
            .entry_of(AT, "desk", &version, key.public())
            .expect("the owner's");
    }

    #[test]
    fn what_was_yanked_is_taken_by_its_exact_version_only_and_what_was_revoked_never() {
        let key = SecretKey::generate();
        let mut index = Index::first(key.public());
        for version in ["0.1.0", "0.1.1", "0.1.2"] {
            index.add(entry(&key, "desk", version)).expect("added");
        }
        let resolved = |index: &Index, spec: &str| {
            let spec = spec.parse::<Spec>().expect("spec");
            index.resolve(AT, &spec).map(|of| of.version.to_string())
        };
        index.packages[2].yanked = mark();
        assert_eq!(resolved(&index, "desk").expect("resolved"), "0.1.1");
        assert_eq!(resolved(&index, "desk@0.1.2").expect("resolved"), "0.1.2");
        index.packages[2].revoked = mark();
        let error = resolved(&index, "desk@0.1.2")
            .expect_err("revoked")
            .to_string();
        assert!(error.contains("revoked: it loses files"), "{error}");
        let error = resolved(&index, "desk@^0.3").expect_err("none").to_string();
        assert!(error.contains("0.1.2, 0.1.1, 0.1.0"), "{error}");
    }

    #[test]
    fn the_version_to_be_compatible_with_is_the_highest_before_in_the_series() {
        let key = SecretKey::generate();
        let mut index = Index::first(key.public());
        for version in ["0.1.0", "0.1.4", "0.2.0", "1.0.0", "1.3.0", "2.0.0-rc.1"] {
            index.add(entry(&key, "desk", version)).expect("added");
        }
        let before = |version: &str| {
            let version = Version::parse(version).expect("version");
            index
                .before("desk", &version)
                .map(|of| of.version.to_string())
        };
        assert_eq!(before("0.1.5").as_deref(), Some("0.1.4"));
        assert_eq!(before("0.1.2").as_deref(), Some("0.1.0"));
        assert_eq!(before("0.3.0"), None);
        assert_eq!(before("1.4.0").as_deref(), Some("1.3.0"));
        assert_eq!(before("2.0.0"), None);
    }

    #[test]
    fn a_registry_revokes_for_the_publishers_in_it_and_for_nobody_else() {
        let (key, other) = (SecretKey::generate(), SecretKey::generate());
        let mut index = Index::first(key.public());
        let mut revoked = entry(&key, "desk", "1.0.0");
        revoked.revoked = mark();
        index.add(revoked.clone()).expect("added");
        let bytes = index.seal(&key, NOW, INDEX_LIFETIME).expect("sealed");
        let mut trust = Trust::default();
        trust.accept(
            "desk",
            "",
            Some(&entry(&other, "desk", "0.9.0").signature),
            Default::default(),
            NOW,
        );
        assert!(
            trust.remember(AT, &bytes, &index, NOW).is_empty(),
            "pinned to another key"
        );
        let mut trust = Trust::default();
        trust.accept(
            "desk",
            "",
            Some(&revoked.signature),
            Default::default(),
            NOW,
        );
        assert_eq!(trust.remember(AT, &bytes, &index, NOW), ["desk@1.0.0"]);
        assert!(trust.remember(AT, &bytes, &index, NOW).is_empty(), "known");
        assert!(matches!(
            trust.standing(
                "desk",
                &revoked.version,
                &revoked.sha256,
                Some(&revoked.signature)
            ),
            Err(crate::trust::TrustError::Revoked { .. })
        ));
    }
}
