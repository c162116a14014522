//! The templates, the kit and the contract, as they were in the repository when this binary was built: a plugin can be begun
//! anywhere, without the repository.

include!(concat!(env!("OUT_DIR"), "/author_files.rs"));

/// The embedded files below a folder of the repository: their paths below it, and their texts.
pub(super) fn below(folder: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    AUTHOR_FILES.iter().filter_map(move |(path, text)| {
        let path = path.strip_prefix(folder)?.strip_prefix('/')?;
        Some((path, *text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_new_plugin_is_made_of_is_embedded() {
        for (folder, file) in [
            ("plugins/templates", "README.md"),
            ("plugins/templates/rust", "Cargo.toml"),
            ("plugins/templates/js", "src/host.js"),
            ("plugins/templates/task", "rust/src/lib.rs"),
            ("plugins/templates/delivery", "python/src/app.py"),
            ("plugins/sdk", "src/lib.rs"),
            ("wit", "task/v0.1/task.wit"),
        ] {
            assert!(
                below(folder).any(|(path, _)| path == file),
                "{folder}/{file}"
            );
        }
    }
}
