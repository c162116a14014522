//! What a host does: the roles that its operator gives it, and the loops that follow from them.
//!
//! Texts of loops travel between hosts, those of roles are settings: a changed one is a new one.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A part of the work that a host may leave to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Answers requests.
    Api,
    /// Fires schedules.
    Scheduler,
    /// Runs jobs.
    Runner,
    /// Raises alarms and delivers notifications.
    Notifier,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Api, Self::Scheduler, Self::Runner, Self::Notifier];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Scheduler => "scheduler",
            Self::Runner => "runner",
            Self::Notifier => "notifier",
        }
    }
}

impl FromStr for Role {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|role| role.as_str() == text)
            .ok_or("a role is one of api, scheduler, runner, notifier")
    }
}

/// The roles of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles(BTreeSet<Role>);

impl Roles {
    #[must_use]
    pub fn all() -> Self {
        Self(Role::ALL.into())
    }

    /// `None` where there is none: a host has something to do.
    #[must_use]
    pub fn of(roles: impl IntoIterator<Item = Role>) -> Option<Self> {
        let roles: BTreeSet<Role> = roles.into_iter().collect();
        (!roles.is_empty()).then_some(Self(roles))
    }

    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// In the order of [`Role::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = Role> {
        self.0.iter().copied()
    }

    /// Those that this host leaves to others.
    #[must_use]
    pub fn left_out(&self) -> Vec<Role> {
        Role::ALL
            .into_iter()
            .filter(|role| !self.has(*role))
            .collect()
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(Role::as_str).collect();
        f.write_str(&names.join(","))
    }
}

/// A loop that waits for work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostLoop {
    Scheduler,
    Runner,
    Alarms,
    Deliverer,
    /// Whoever watches jobs as they run.
    Watchers,
}

impl HostLoop {
    pub const ALL: [Self; 5] = [
        Self::Scheduler,
        Self::Runner,
        Self::Alarms,
        Self::Deliverer,
        Self::Watchers,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Runner => "runner",
            Self::Alarms => "alarms",
            Self::Deliverer => "deliverer",
            Self::Watchers => "watchers",
        }
    }

    /// `None` for one that this version does not know.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_by_their_names_and_print_in_one_order() {
        let read = |text: &str| text.split(',').map(str::parse::<Role>).collect();
        let roles: Result<Vec<_>, _> = read("notifier,api,api");
        let roles = Roles::of(roles.unwrap()).unwrap();
        assert_eq!(roles.to_string(), "api,notifier");
        assert_eq!(roles.left_out(), [Role::Scheduler, Role::Runner]);
        let unknown: Result<Vec<_>, _> = read("api,API");
        assert!(unknown.unwrap_err().contains("scheduler"));
        assert_eq!(Roles::of([]), None);
        assert!(Roles::all().left_out().is_empty());
    }
}
