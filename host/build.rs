//! Builds the plugins that ship with the server, and writes the tables by which `src/plugins` embeds them,
//! `src/cli/plugin` what authors get (templates, kit and contract), and `src/ui.rs` the pages for people.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

fn main() -> ExitCode {
    match embed_plugins() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Cargo shows what a failed build script wrote.
            eprintln!(
                "{error}\n\nThe plugins that ship with the server were not built; the reason is above."
            );
            ExitCode::FAILURE
        }
    }
}

fn embed_plugins() -> Result<(), Box<dyn std::error::Error>> {
    // Of this build: a target directory that several clones share may hold this program as another one built it.
    #[expect(
        clippy::disallowed_methods,
        reason = "cargo tells a build script its folder in this way only"
    )]
    let host = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo runs this program")?);
    let root = host.join("..");
    let plugins_dir = root.join("plugins");
    watch_sources(&plugins_dir)?;
    watch(&root.join("wit"));

    let out_dir = out_dir()?;
    let guests = guest_build::build_guests(&plugins_dir, &out_dir.join("plugins"))?;
    let mut table = "pub(crate) static BUILTIN_PLUGINS: &[(&str, &[u8])] = &[\n".to_owned();
    for guest in guests {
        writeln!(
            table,
            "    ({:?}, include_bytes!({:?})),",
            guest.name, guest.component_path
        )?;
    }
    table.push_str("];\n");
    fs::write(out_dir.join("builtin_plugins.rs"), table)?;
    embed_author_files(&root, &out_dir)?;
    embed_pages(&host, &out_dir)
}

/// The files of `ui`, each with its type, its mark and, where that is worth it, its compressed form.
fn embed_pages(host: &Path, out_dir: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let folder = host.join("ui");
    watch(&folder);
    let mut files = Vec::new();
    find_files(&folder, &mut files)?;
    files.sort();
    let mut table = "static ASSETS: &[Asset] = &[\n".to_owned();
    for (number, file) in files.iter().enumerate() {
        let path = file.strip_prefix(&folder)?;
        let content_type = content_type(file)
            .ok_or_else(|| format!("{}: nobody said what type it has", path.display()))?;
        let plain = fs::read(file)?;
        let mut mark = DefaultHasher::new();
        plain.hash(&mut mark);
        let mark = format!("\"{:016x}\"", mark.finish());
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&plain)?;
        let compressed = encoder.finish()?;
        let mut kept = "None".to_owned();
        if compressed.len() < plain.len() {
            let to = out_dir.join(format!("page-{number}.gz"));
            fs::write(&to, compressed)?;
            kept = format!("Some(include_bytes!({to:?}))");
        }
        writeln!(
            table,
            "    Asset {{ path: {path:?}, content_type: {content_type:?}, mark: {mark:?}, \
             plain: include_bytes!({file:?}), compressed: {kept} }},"
        )?;
    }
    table.push_str("];\n");
    fs::write(out_dir.join("ui_assets.rs"), table)?;
    Ok(())
}

fn content_type(file: &Path) -> Option<&'static str> {
    Some(match file.extension()?.to_str()? {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

/// The texts from which `orchestrator plugin new` makes a plugin, under their paths in the repository.
fn embed_author_files(root: &Path, out_dir: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    for folder in ["plugins/templates", "plugins/sdk", "wit"] {
        find_files(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut table = "pub(super) static AUTHOR_FILES: &[(&str, &str)] = &[\n".to_owned();
    for file in files {
        let name = file.strip_prefix(root).unwrap_or(&file);
        // Writing into a String does not fail.
        let _ = writeln!(table, "    ({name:?}, include_str!({file:?})),");
    }
    table.push_str("];\n");
    fs::write(out_dir.join("author_files.rs"), table)
}

/// All files below, but what tools leave there.
fn find_files(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if name == "target" || name == "Cargo.lock" || name == "__pycache__" {
            continue;
        }
        if path.is_dir() {
            find_files(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// Everything in the plugins' workspace but what a build of its own leaves there.
fn watch_sources(plugins_dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(plugins_dir)? {
        let name = entry?.file_name();
        if name != "target" {
            watch(&plugins_dir.join(name));
        }
    }
    Ok(())
}

fn watch(path: &Path) {
    println!("cargo:rerun-if-changed={}", path.display());
}

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script its folder in this way only"
)]
fn out_dir() -> Result<PathBuf, &'static str> {
    env::var_os("OUT_DIR")
        .map(PathBuf::from)
        .ok_or("OUT_DIR is not set: this runs under cargo only")
}
