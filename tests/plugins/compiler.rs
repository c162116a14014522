//! Components from outside are compiled in a process apart, which takes no more than it may.

use crate::support::guests::guest;
use crate::support::steps::{compiler, open, response, settings};
use orchestrator::plugins::{CompilerSettings, PluginError, PluginSettings, Plugins};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// With an empty cache, and this compiler.
fn with_compiler(dir: &Path, compiler: CompilerSettings) -> Plugins {
    open(PluginSettings {
        data_dir: dir.to_owned(),
        compiler,
        ..settings()
    })
}

/// A script in place of the compiler.
fn script(dir: &Path, lines: &str) -> CompilerSettings {
    let path = dir.join("compiler");
    fs::write(&path, format!("#!/bin/sh\n{lines}\n")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("executable");
    CompilerSettings {
        executable: Some(path),
        time: Duration::from_secs(1),
        ..compiler()
    }
}

async fn refusal(plugins: &Plugins) -> String {
    let refused = plugins.add_upload(guest("noop").to_vec()).await;
    match refused {
        Err(error @ (PluginError::CompileLimit { .. } | PluginError::Compiler(_))) => {
            error.to_string()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_upload_is_compiled_apart_once_and_runs() {
    let dir = tempfile::tempdir().expect("directory");
    let first = with_compiler(dir.path(), compiler());
    let builtins = first.compiled_components();

    let plugin = first
        .add_upload(guest("noop").to_vec())
        .await
        .expect("taken");
    let again = with_compiler(dir.path(), script(dir.path(), "exit 1"));
    let mapped = again
        .add_upload(guest("noop").to_vec())
        .await
        .expect("from the cache");

    assert_eq!(first.compiled_components(), builtins + 1);
    assert_eq!(again.compiled_components(), 0);
    assert_eq!(plugin.digest(), mapped.digest());
    let context = crate::support::steps::context(&json!({}));
    let call = orchestrator::domain::step::StepCall::Start;
    let recorder = Arc::new(crate::support::steps::Recorder::default());
    let ended = again.run_step(&mapped, context, call, recorder).await;
    assert_eq!(response(ended), Value::Null);
}

#[tokio::test]
async fn a_compilation_that_wants_too_much_memory_is_ended_and_says_so() {
    let dir = tempfile::tempdir().expect("directory");
    let plugins = with_compiler(
        dir.path(),
        CompilerSettings {
            memory_bytes: 48 << 20,
            ..compiler()
        },
    );

    let said = refusal(&plugins).await;

    assert!(said.contains("48 MiB of memory"), "{said}");
}

#[tokio::test]
async fn a_compilation_that_takes_too_long_is_ended_and_says_so() {
    let dir = tempfile::tempdir().expect("directory");
    let computes = CompilerSettings {
        time: Duration::from_secs(30),
        ..script(dir.path(), "ulimit -t 1; while :; do :; done")
    };
    let said = refusal(&with_compiler(dir.path(), computes)).await;
    assert!(said.contains("more than 30 s of CPU time"), "{said}");

    let sleeps = script(dir.path(), "exec sleep 3600");
    let said = refusal(&with_compiler(dir.path(), sleeps)).await;
    assert!(said.contains("longer than 1 s to compile"), "{said}");
}

#[tokio::test]
async fn a_compiler_that_does_not_work_is_the_servers_fault() {
    let dir = tempfile::tempdir().expect("directory");
    let fails = script(dir.path(), "echo no >&2; exit 1");
    assert!(
        refusal(&with_compiler(dir.path(), fails))
            .await
            .contains("the compiler of plugins does not work")
    );

    let missing = CompilerSettings {
        executable: Some(dir.path().join("missing")),
        ..compiler()
    };
    assert!(
        refusal(&with_compiler(dir.path(), missing))
            .await
            .contains("the compiler of plugins does not work")
    );
}
