//! `orchestrations export`: files that `apply` takes back without a change.

use super::{Output, find};
use crate::cli::definition::{exported, file_name, print_definition};
use crate::cli::print::print_json;
use anyhow::{Context, bail};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct ExportArgs {
    /// Which ones; without any, all
    #[arg(value_name = "ID|NAME")]
    which: Vec<String>,
    /// Folder for a file per orchestration; without it, all is printed
    #[arg(short, long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
    /// Replace files that say something else
    #[arg(long, requires = "output_dir")]
    force: bool,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn export(args: ExportArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let client = args.output.server.client()?;
    let mut found = Vec::new();
    if args.which.is_empty() {
        for one in client.orchestrations().await? {
            found.push(client.orchestration(one.id).await?);
        }
    } else {
        for which in &args.which {
            found.push(find(&client, which).await?);
        }
    }
    let mut names = BTreeSet::new();
    for twice in found.iter().filter(|one| !names.insert(&one.name)) {
        eprintln!(
            "note: there are several orchestrations {:?}; `apply` takes one of a name",
            twice.name
        );
    }
    if args.output.json {
        return print_json(&found.iter().map(exported).collect::<Vec<_>>(), out);
    }
    let Some(folder) = args.output_dir else {
        for (at, one) in found.iter().enumerate() {
            if at > 0 {
                writeln!(out, "---")?;
            }
            out.write_all(print_definition(one).as_bytes())?;
        }
        return Ok(());
    };
    let mut files = Vec::new();
    let mut taken = BTreeSet::new();
    for one in &found {
        let mut name = file_name(&one.name);
        if !taken.insert(name.clone()) {
            name = format!("{name}-{}", one.id);
            taken.insert(name.clone());
        }
        files.push((folder.join(format!("{name}.yaml")), print_definition(one)));
    }
    let differs =
        |path: &PathBuf, text: &String| fs::read(path).is_ok_and(|there| there != text.as_bytes());
    let in_the_way = files.iter().filter(|(path, text)| differs(path, text));
    let in_the_way: Vec<_> = in_the_way
        .map(|(path, _)| format!("\n  {}", path.display()))
        .collect();
    if !args.force && !in_the_way.is_empty() {
        bail!(
            "there are files that say something else; --force replaces them:{}",
            in_the_way.concat()
        );
    }
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    for (path, text) in files {
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        writeln!(out, "{}", path.display())?;
    }
    Ok(())
}
