//! What a token may do, and what of it the token may hand on.
//!
//! A token gives no right that it lacks: what it makes may do no more than itself, and lives no longer. The master
//! token of a project has every right, for good.

use crate::domain::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest description, in characters. Those of orchestrations' tokens hold a name of up to 255 and a few words.
pub const MOST_DESCRIPTION_CHARACTERS: usize = 500;
/// Most components that a token may be confined to.
pub const MOST_COMPONENTS: usize = 500;
/// Most buckets that a token may name.
pub const MOST_BUCKETS: usize = 2_000;
/// Longest name of a component or bucket, in characters.
pub const MOST_NAME_CHARACTERS: usize = 255;
/// Longest life, in seconds: a hundred years.
pub const MOST_LIFE_SECONDS: u64 = 100 * 365 * 24 * 60 * 60;

/// Right to one bucket of the storage; each holds those before it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum BucketPermission {
    Read,
    Write,
    Manage,
}

impl BucketPermission {
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        match text {
            "read" => Some(Self::Read),
            "write" => Some(Self::Write),
            "manage" => Some(Self::Manage),
            _ => None,
        }
    }
}

/// Rights to buckets, by their ids.
pub type BucketPermissions = BTreeMap<String, BucketPermission>;

/// What a token may do, and until when. Without anything set: use its project's orchestrations, for good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    pub is_master: bool,
    pub can_manage_buckets: bool,
    pub can_manage_tokens: bool,
    pub can_read_all_file_uploads: bool,
    pub can_purge_trash: bool,
    /// The components that tasks may run with it; empty: all.
    pub component_access: Vec<String>,
    pub bucket_permissions: BucketPermissions,
    pub expires_at: Option<Timestamp>,
}

/// What is wished of a token's rights; `None` leaves one as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RightsChange {
    pub can_manage_buckets: Option<bool>,
    pub can_manage_tokens: Option<bool>,
    pub can_read_all_file_uploads: Option<bool>,
    pub can_purge_trash: Option<bool>,
    pub component_access: Option<Vec<String>>,
    pub bucket_permissions: Option<BucketPermissions>,
    /// Counted from the change.
    pub expires_in: Option<Duration>,
}

impl Rights {
    /// Of a project's first token.
    #[must_use]
    pub fn of_master() -> Self {
        Self {
            is_master: true,
            can_manage_buckets: true,
            can_manage_tokens: true,
            can_read_all_file_uploads: true,
            can_purge_trash: true,
            ..Self::default()
        }
    }

    /// Of a token that is made for an orchestration.
    #[must_use]
    pub fn of_orchestration() -> Self {
        Self {
            can_manage_buckets: true,
            can_read_all_file_uploads: true,
            ..Self::default()
        }
    }

    /// What a token that these rights make has unless it is told otherwise: nothing but their own bounds.
    #[must_use]
    pub fn of_new_token(&self) -> Self {
        Self {
            component_access: self.component_access.clone(),
            expires_at: self.expires_at,
            ..Self::default()
        }
    }

    /// These rights after a change at `now`.
    #[must_use]
    pub fn changed(&self, change: &RightsChange, now: Timestamp) -> Self {
        let flag = |wish: Option<bool>, own: bool| wish.unwrap_or(own);
        Self {
            is_master: self.is_master,
            can_manage_buckets: flag(change.can_manage_buckets, self.can_manage_buckets),
            can_manage_tokens: flag(change.can_manage_tokens, self.can_manage_tokens),
            can_read_all_file_uploads: flag(
                change.can_read_all_file_uploads,
                self.can_read_all_file_uploads,
            ),
            can_purge_trash: flag(change.can_purge_trash, self.can_purge_trash),
            component_access: change
                .component_access
                .clone()
                .unwrap_or_else(|| self.component_access.clone()),
            bucket_permissions: change
                .bucket_permissions
                .clone()
                .unwrap_or_else(|| self.bucket_permissions.clone()),
            expires_at: change
                .expires_in
                .map_or(self.expires_at, |life| Some(now.plus(life))),
        }
    }

    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// Whether tokens other than itself are its business.
    #[must_use]
    pub fn manages_tokens(&self) -> bool {
        self.is_master || self.can_manage_tokens
    }

    /// Whether a task may run that component with it.
    #[must_use]
    pub fn may_run(&self, component: &str) -> bool {
        self.component_access.is_empty() || self.component_access.iter().any(|own| own == component)
    }

    /// What the bearer of these rights may not do if it gives a token the rights `wanted`; `None`: it may. What the
    /// token has already (`before`) is not given.
    #[must_use]
    pub fn forbid_giving(&self, wanted: &Self, before: Option<&Self>) -> Option<&'static str> {
        if self.is_master {
            return None;
        }
        let is_new =
            |right: fn(&Self) -> bool| right(wanted) && !right(self) && !before.is_some_and(right);
        let is_beyond = |within: fn(&Self, &Self) -> bool| {
            !within(wanted, self) && !before.is_some_and(|before| within(wanted, before))
        };
        if is_new(|rights| rights.is_master) {
            Some("be given the master token's secret")
        } else if is_new(|rights| rights.can_manage_buckets) {
            Some("give canManageBuckets, which it lacks")
        } else if is_new(|rights| rights.can_manage_tokens) {
            Some("give canManageTokens, which it lacks")
        } else if is_new(|rights| rights.can_read_all_file_uploads) {
            Some("give canReadAllFileUploads, which it lacks")
        } else if is_new(|rights| rights.can_purge_trash) {
            Some("give canPurgeTrash, which it lacks")
        } else if is_beyond(Self::has_components_within) {
            Some("give a componentAccess wider than its own")
        } else if is_beyond(Self::has_buckets_within) {
            Some("give bucketPermissions that it lacks")
        } else if is_beyond(Self::ends_within) {
            Some("let a token live longer than itself")
        } else {
            None
        }
    }

    fn has_components_within(&self, other: &Self) -> bool {
        other.component_access.is_empty()
            || (!self.component_access.is_empty()
                && self.component_access.iter().all(|name| other.may_run(name)))
    }

    fn has_buckets_within(&self, other: &Self) -> bool {
        let has = |(bucket, permission)| {
            let own = other.bucket_permissions.get(bucket);
            own.is_some_and(|own: &BucketPermission| own >= permission)
        };
        other.can_manage_buckets || self.bucket_permissions.iter().all(has)
    }

    fn ends_within(&self, other: &Self) -> bool {
        let Some(end) = other.expires_at else {
            return true;
        };
        self.expires_at.is_some_and(|own| own <= end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp(1_767_614_400_000_000);

    fn manager() -> Rights {
        Rights {
            can_manage_tokens: true,
            component_access: vec!["a".into(), "b".into()],
            bucket_permissions: [("in.c-main".to_owned(), BucketPermission::Write)].into(),
            expires_at: Some(Timestamp(NOON.0 + 100_000_000)),
            ..Rights::default()
        }
    }

    fn wish(change: impl FnOnce(&mut RightsChange)) -> Rights {
        let mut wish = RightsChange::default();
        change(&mut wish);
        manager().of_new_token().changed(&wish, NOON)
    }

    fn bucket(permission: BucketPermission) -> Option<BucketPermissions> {
        Some([("in.c-main".to_owned(), permission)].into())
    }

    #[test]
    fn a_token_gives_what_it_has() {
        for wanted in [
            wish(|_| ()),
            wish(|wish| wish.can_manage_tokens = Some(true)),
            wish(|wish| wish.component_access = Some(vec!["b".into()])),
            wish(|wish| wish.bucket_permissions = bucket(BucketPermission::Read)),
            wish(|wish| wish.expires_in = Some(Duration::from_secs(100))),
        ] {
            assert_eq!(manager().forbid_giving(&wanted, None), None, "{wanted:?}");
        }
        assert_eq!(Rights::of_master().forbid_giving(&manager(), None), None);
    }

    #[test]
    fn a_token_gives_nothing_that_it_lacks() {
        for (wanted, named) in [
            (
                wish(|wish| wish.can_manage_buckets = Some(true)),
                "canManageBuckets",
            ),
            (
                wish(|wish| wish.can_read_all_file_uploads = Some(true)),
                "canReadAllFileUploads",
            ),
            (
                wish(|wish| wish.can_purge_trash = Some(true)),
                "canPurgeTrash",
            ),
            (
                wish(|wish| wish.component_access = Some(vec!["b".into(), "c".into()])),
                "componentAccess",
            ),
            (
                wish(|wish| wish.component_access = Some(Vec::new())),
                "componentAccess",
            ),
            (
                wish(|wish| wish.bucket_permissions = bucket(BucketPermission::Manage)),
                "bucketPermissions",
            ),
            (
                wish(|wish| wish.expires_in = Some(Duration::from_secs(101))),
                "live longer",
            ),
            (Rights::of_master(), "master token"),
        ] {
            let refused = manager().forbid_giving(&wanted, None).unwrap_or_default();
            assert!(refused.contains(named), "{refused:?} for {wanted:?}");
        }
    }

    #[test]
    fn what_a_token_has_already_may_stay_and_be_taken_away() {
        let before = Rights {
            can_manage_buckets: true,
            can_purge_trash: true,
            ..Rights::default()
        };
        let less = Rights {
            can_manage_buckets: true,
            component_access: vec!["z".into()],
            expires_at: Some(Timestamp(NOON.0 + 900_000_000)),
            ..Rights::default()
        };

        assert_eq!(manager().forbid_giving(&before, Some(&before)), None);
        assert_eq!(manager().forbid_giving(&less, Some(&before)), None);
        assert!(manager().forbid_giving(&before, Some(&less)).is_some());
    }
}
