//! `orchestrator import keboola`: what a running original service has, made here, disabled, with a report.
//!
//! The source is only read, by its documented calls. An orchestration whose name is free is made; one that is there already as the
//! import would make it is left alone, so that a second run does nothing; one of the same name that is different is not touched.

mod convert;
mod report;
mod source;

use super::caller::{ConnectionArgs, ServerArgs, ask_for_token};
use super::orchestrations::differences_of;
use anyhow::anyhow;
use convert::{Converted, convert};
use orchestrator_client::{Access, Client, OrchestrationBody};
use report::{Entry, Outcome, Report};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::Write;
use std::process::ExitCode;

/// Take over orchestrations from another service
#[derive(Clone, Debug, clap::Args)]
pub struct ImportArgs {
    #[command(subcommand)]
    from: From,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum From {
    /// From a Keboola Orchestrator, or another server of this kind
    Keboola(KeboolaArgs),
}

#[derive(Clone, Debug, clap::Args)]
struct KeboolaArgs {
    /// Address of the source, such as https://syrup.keboola.com/orchestrator
    #[arg(long, value_name = "URL")]
    url: String,
    /// A token of the source; without it, or with `-`, it is asked for, which leaves no trace
    #[arg(long, value_name = "TOKEN", default_value = "-")]
    token: String,
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Profile of the server that takes them; else ORCHESTRATOR_URL and ORCHESTRATOR_TOKEN, or the profile that counts now
    #[arg(long, value_name = "PROFILE")]
    to: Option<String>,
    /// Report and make nothing
    #[arg(long)]
    dry_run: bool,
    /// Where a name is taken by another orchestration, add ` (imported)` to it
    #[arg(long)]
    rename: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Runs `orchestrator import`. Ends with 1 where something could not be taken.
///
/// # Errors
/// One of the two servers refuses or does not answer.
pub async fn run(args: ImportArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let From::Keboola(args) = args.from;
    let to = args.to.as_deref();
    let target = to.map_or_else(ServerArgs::default, ServerArgs::of_profile);
    let target = target.client()?;
    let token = match args.token.as_str() {
        "-" => ask_for_token(&format!("Token for {}: ", args.url))?,
        token => token.to_owned(),
    };
    let source = args.connection.builder(&args.url, Access::Token(token))?;
    let source = source.build()?;
    let found = source::read_all(&source).await;
    // As a text: what one can do about the target is no advice here.
    let found = found.map_err(|error| anyhow!("the source, {}: {error:#}", source.base()))?;
    let mut taker = Taker::begin(&target, args.rename, args.dry_run).await?;
    let mut entries = Vec::new();
    for one in &found {
        entries.push(taker.take(one).await);
    }
    let report = Report {
        from: source.base().to_owned(),
        to: target.base().to_owned(),
        is_dry_run: args.dry_run,
        entries,
        elsewhere: taker.elsewhere,
    };
    report.print(args.json, out)?;
    Ok(if report.is_whole() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Makes them in the target.
struct Taker<'a> {
    target: &'a Client,
    renames: bool,
    is_dry_run: bool,
    /// Ids in the target by name.
    present: HashMap<String, Vec<i64>>,
    /// Those that one of the source was found to be already.
    matched: HashSet<i64>,
    /// Names that this run has used; of a dry run nothing else tells of them.
    used: HashSet<String>,
    /// What a task can name in the target.
    known: HashSet<String>,
    /// Components that tasks name and the target's project does not know.
    elsewhere: BTreeSet<String>,
}

/// Whether a name is free.
enum Standing {
    Free,
    /// By what the import would make.
    Same(i64),
    Other(i64),
}

impl<'a> Taker<'a> {
    async fn begin(target: &'a Client, renames: bool, is_dry_run: bool) -> anyhow::Result<Self> {
        let mut present: HashMap<String, Vec<i64>> = HashMap::new();
        for one in target.orchestrations().await? {
            present.entry(one.name).or_default().push(one.id);
        }
        let components = target.components().await?;
        let plugins = target.plugins().await?;
        let plugins = plugins
            .iter()
            .filter_map(|plugin| plugin.get("id")?.as_str());
        let known = plugins.map(str::to_owned);
        let known = known.chain(components.into_iter().map(|component| component.name));
        Ok(Self {
            known: known.collect(),
            target,
            renames,
            is_dry_run,
            present,
            matched: HashSet::new(),
            used: HashSet::new(),
            elsewhere: BTreeSet::new(),
        })
    }

    async fn take(&mut self, one: &source::Found) -> Entry {
        let mut entry = Entry::of(one);
        let converted = match one.value.as_ref().map_err(Clone::clone).and_then(convert) {
            Ok(converted) => converted,
            Err(reasons) => {
                entry.outcome = Outcome::Failed;
                entry.notes.extend(reasons);
                return entry;
            }
        };
        entry.notes.extend(converted.notes.iter().cloned());
        if let Err(error) = self.settle(converted, &mut entry).await {
            entry.outcome = Outcome::Failed;
            entry.notes.push(format!("{error:#}"));
        }
        entry
    }

    async fn settle(&mut self, converted: Converted, entry: &mut Entry) -> anyhow::Result<()> {
        let mut body = converted.body;
        let own_name = body.name.clone().unwrap_or_default();
        for attempt in 0..MOST_NAMES {
            let name = renamed(&own_name, attempt);
            body.name = Some(name.clone());
            match self.standing_of(&name, &body).await? {
                Standing::Same(id) => {
                    self.matched.insert(id);
                    entry.outcome = Outcome::Present;
                    entry.id = Some(id);
                    entry.made_as = Some(name);
                    return Ok(());
                }
                Standing::Other(id) if !self.renames => {
                    entry.outcome = Outcome::Skipped;
                    let note = format!(
                        "the name is that of another one here (id {id}); --rename takes it under another name"
                    );
                    entry.notes.push(note);
                    return Ok(());
                }
                Standing::Other(_) => {}
                Standing::Free => return self.make(name, body, entry).await,
            }
        }
        Err(anyhow!("all names like it are taken"))
    }

    async fn make(
        &mut self,
        name: String,
        body: OrchestrationBody,
        entry: &mut Entry,
    ) -> anyhow::Result<()> {
        let named = body.tasks.iter().flatten();
        let named = named.filter_map(|task| task.component.clone());
        let unknown = named.filter(|name| !self.known.contains(name));
        self.elsewhere.extend(unknown);
        if name != entry.name {
            entry.notes.push(format!("under the name {name:?}"));
        }
        entry.outcome = Outcome::Made;
        if self.is_dry_run {
            self.used.insert(name.clone());
        } else {
            let made = self.target.create_orchestration(&body).await?;
            self.present.entry(name.clone()).or_default().push(made.id);
            self.matched.insert(made.id);
            entry.id = Some(made.id);
        }
        entry.made_as = Some(name);
        Ok(())
    }

    async fn standing_of(&self, name: &str, body: &OrchestrationBody) -> anyhow::Result<Standing> {
        let ids = self.present.get(name).cloned().unwrap_or_default();
        // Whether it was enabled since is the person's business, and its token is its own.
        let wanted = OrchestrationBody {
            active: None,
            ..body.clone()
        };
        for id in ids.iter().filter(|id| !self.matched.contains(id)) {
            let present = self.target.orchestration(*id).await?;
            if differences_of(&present, &wanted)?.is_empty() {
                return Ok(Standing::Same(*id));
            }
        }
        Ok(match ids.first() {
            Some(id) => Standing::Other(*id),
            None if self.used.contains(name) => Standing::Other(0),
            None => Standing::Free,
        })
    }
}

const MOST_NAMES: u32 = 100;

/// `Load`, `Load (imported)`, `Load (imported 2)`, …
fn renamed(name: &str, attempt: u32) -> String {
    match attempt {
        0 => name.to_owned(),
        1 => format!("{name} (imported)"),
        more => format!("{name} (imported {more})"),
    }
}
