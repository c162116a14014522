//! What must not come back by another crate's wishes.

use std::process::Command;

/// With that feature `wasi:http` has a client of its own, and a forgotten hook compiles.
#[test]
fn no_crate_turns_on_the_default_client_of_wasi_http() {
    let output = Command::new(env!("CARGO"))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .args([
            "tree",
            "--workspace",
            "--locked",
            "--offline",
            "-e",
            "normal,build,dev",
            "-i",
            "wasmtime-wasi-http",
        ])
        .args(["--depth", "0", "-f", "{p} features: {f}"])
        .output()
        .expect("cargo");

    let tree = String::from_utf8_lossy(&output.stdout);
    assert!(
        tree.contains("features: p2"),
        "{tree}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!tree.contains("default"), "{tree}");
}
