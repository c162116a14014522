//! Builds the plugins that ship with the server, and writes the table by which `src/plugins` embeds them.

use std::fmt::Write as _;
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
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
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
