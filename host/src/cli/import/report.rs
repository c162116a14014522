//! What became of each orchestration of the source.

use super::source::Found;
use crate::cli::print::{clean, print_json, print_table};
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::Write;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) is_dry_run: bool,
    #[serde(rename = "orchestrations")]
    pub(super) entries: Vec<Entry>,
    /// Components that the target's project does not know.
    #[serde(rename = "componentsNotKnown")]
    pub(super) elsewhere: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    Made,
    /// It was there already, as it would be made.
    Present,
    /// Its name is taken.
    Skipped,
    Failed,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    pub(super) source_id: String,
    pub(super) name: String,
    /// At the source.
    pub(super) was_active: bool,
    pub(super) outcome: Outcome,
    /// Here.
    pub(super) id: Option<i64>,
    pub(super) made_as: Option<String>,
    pub(super) notes: Vec<String>,
}

impl Entry {
    pub(super) fn of(found: &Found) -> Self {
        Self {
            source_id: found.id.clone(),
            name: found.name.clone(),
            was_active: found.is_active,
            outcome: Outcome::Failed,
            id: None,
            made_as: None,
            notes: Vec::new(),
        }
    }
}

impl Report {
    /// Whether nothing failed.
    pub(super) fn is_whole(&self) -> bool {
        self.count(Outcome::Failed) == 0
    }

    fn count(&self, outcome: Outcome) -> usize {
        let entries = self.entries.iter();
        entries.filter(|entry| entry.outcome == outcome).count()
    }

    pub(super) fn print(&self, is_json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
        if is_json {
            return print_json(self, out);
        }
        writeln!(out, "From {} to {}\n", self.from, self.to)?;
        let made = if self.is_dry_run {
            "would be made"
        } else {
            "made"
        };
        let rows = self.entries.iter().map(|entry| {
            let outcome = match entry.outcome {
                Outcome::Made => made,
                Outcome::Present => "there already",
                Outcome::Skipped => "skipped",
                Outcome::Failed => "NOT TAKEN",
            };
            vec![
                entry.source_id.clone(),
                entry.name.clone(),
                if entry.was_active {
                    "active"
                } else {
                    "disabled"
                }
                .to_owned(),
                outcome.to_owned(),
                entry.id.map_or("-".to_owned(), |id| id.to_string()),
            ]
        });
        print_table(&[">SOURCE", "NAME", "THERE", "HERE", ">ID"], rows, out)?;
        let noted = self.entries.iter().filter(|entry| !entry.notes.is_empty());
        for entry in noted {
            writeln!(out, "\n{} {}", entry.source_id, clean(&entry.name))?;
            for note in &entry.notes {
                writeln!(out, "  {}", clean(note))?;
            }
        }
        writeln!(
            out,
            "\n{} {made} (disabled), {} there already, {} skipped, {} not taken",
            self.count(Outcome::Made),
            self.count(Outcome::Present),
            self.count(Outcome::Skipped),
            self.count(Outcome::Failed)
        )?;
        if !self.elsewhere.is_empty() {
            let names: Vec<_> = self.elsewhere.iter().map(|name| clean(name)).collect();
            writeln!(
                out,
                "Neither in the component registry nor plugins here, so called at the server's components-url: {}",
                names.join(", ")
            )?;
        }
        if self.count(Outcome::Made) > 0 {
            writeln!(
                out,
                "Tokens and jobs stay at the source: each orchestration has a token of its own here. \
                 `orchestrator orchestrations enable` starts a schedule; disable it at the source first."
            )?;
        }
        Ok(())
    }
}
