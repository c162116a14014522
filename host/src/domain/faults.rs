//! The list of everything that is wrong with one request, each with the path to it.
//!
//! Readers of request bodies go on after a fault, so that a client sees all of them at once.

use schemars::JsonSchema;
use serde::Serialize;

/// One fault: where (`tasks[1].componentUrl`) and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Fault {
    pub path: String,
    pub message: String,
}

/// Collected faults, in the order in which they were met.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

/// More faults than this are counted, not listed: an answer stays readable.
const MOST_LISTED: usize = 50;

impl Faults {
    pub fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Fault {
            path: path.into(),
            message: message.into(),
        });
    }

    /// Takes out what is wrong at these places or below them.
    pub fn forget_at(&mut self, places: &[String]) {
        let is_below = |path: &str, place: &String| {
            let rest = path.strip_prefix(place.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.0
            .retain(|fault| !places.iter().any(|place| is_below(&fault.path, place)));
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `Ok(value)` where nothing was wrong, else every fault.
    pub fn into_result<T>(self, value: T) -> Result<T, Vec<Fault>> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(self.into_list())
        }
    }

    #[must_use]
    pub fn into_list(mut self) -> Vec<Fault> {
        let hidden = self.0.len().saturating_sub(MOST_LISTED);
        self.0.truncate(MOST_LISTED);
        if hidden > 0 {
            self.add("", format!("{hidden} further faults are not listed"));
        }
        self.0
    }
}
