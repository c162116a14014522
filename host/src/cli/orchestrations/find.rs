//! Which orchestration is meant.

use crate::cli::print::clean;
use anyhow::{Context, bail};
use orchestrator_client::{Client, Orchestration};

/// At most this many names are offered in place of one that is none.
const MOST_OFFERED: usize = 5;

/// The one of that id, else of that name, with its tasks.
pub(in crate::cli) async fn find(client: &Client, which: &str) -> anyhow::Result<Orchestration> {
    let id = which.parse::<i64>().ok().filter(|id| *id > 0);
    if let Some(id) = id {
        match client.orchestration(id).await {
            Err(error) if error.is_not_found() => {}
            answer => return Ok(answer?),
        }
    }
    let all = client.orchestrations().await?;
    let id = pick(&all, which)?;
    let found = client.orchestration(id).await;
    found.with_context(|| format!("orchestration {id}"))
}

fn pick(all: &[Orchestration], which: &str) -> anyhow::Result<i64> {
    let named: Vec<_> = all.iter().filter(|one| one.name == which).collect();
    match named.as_slice() {
        [one] => Ok(one.id),
        [] => {
            let wanted = which.to_lowercase();
            let near = all
                .iter()
                .filter(|one| one.name.to_lowercase().contains(&wanted));
            let near: Vec<_> = near
                .take(MOST_OFFERED)
                .map(|one| format!("\n  {}  {}", one.id, clean(&one.name)))
                .collect();
            if near.is_empty() {
                bail!(
                    "there is no orchestration {which:?}: `orchestrator orchestrations list` shows all"
                );
            }
            bail!("there is no orchestration {which:?}, but{}", near.concat());
        }
        several => {
            let ids: Vec<_> = several.iter().map(|one| one.id.to_string()).collect();
            bail!(
                "there are several orchestrations {which:?}: say which by its id, one of {}",
                ids.join(", ")
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orchestrator_client::TokenReference;

    fn named(id: i64, name: &str) -> Orchestration {
        Orchestration {
            id,
            name: name.into(),
            crontab_record: None,
            created_time: String::new(),
            last_scheduled_time: None,
            next_scheduled_time: None,
            active: true,
            token: TokenReference {
                id: 1,
                description: String::new(),
            },
            uri: String::new(),
            last_executed_job: None,
            notifications: Vec::new(),
            tasks: None,
        }
    }

    #[test]
    fn a_name_is_found_and_others_are_told_with_what_may_be_meant() {
        let all = [
            named(1, "Nightly load"),
            named(2, "Twice"),
            named(3, "Twice"),
        ];
        assert_eq!(pick(&all, "Nightly load").expect("found"), 1);
        let said = |which| pick(&all, which).expect_err("none").to_string();
        assert!(
            said("nightly").contains("1  Nightly load"),
            "{}",
            said("nightly")
        );
        assert!(said("Twice").contains("one of 2, 3"), "{}", said("Twice"));
        assert!(said("x").contains("orchestrations list"), "{}", said("x"));
    }
}
