//! Each limit stops a guest in time, with a failure that names the limit, its value and the plugin.

use std::sync::Arc;

use orchestrator::domain::plugin::{Grant, GrantedLimits};
use orchestrator::domain::step::{Checkpoint, Step, StepCall};
use orchestrator::plugins::{
    LogLevel, Plugin, PluginError, PluginSettings, Plugins, StepError, StepLimits,
};
use serde_json::{Value, json};

use crate::support::guests::{guest, with_parts};
use crate::support::steps::{
    Recorder, context, failure, limits, open, plugins, response, run, settings, start, start_with,
};

/// Asserts on the code and on what the message names.
async fn stops(name: &str, parameters: Value, code: &str, named: &[&str]) {
    let failure = failure(start(name, &parameters).await);
    assert_eq!(failure.code, code, "{}", failure.message);
    assert!(
        failure.message.contains(&format!("plugin {name} 0.1.0")),
        "{}",
        failure.message
    );
    for text in named {
        assert!(
            failure.message.contains(text),
            "{:?} lacks {text:?}",
            failure.message
        );
    }
}

#[tokio::test]
async fn endless_computing_is_stopped_by_the_cpu_limit() {
    stops(
        "never-returns",
        json!({}),
        "CPU_LIMIT",
        &["300ms", "CPU limit"],
    )
    .await;
}

#[tokio::test]
async fn endless_sleep_is_stopped_by_the_time_limit() {
    let plugins = open(PluginSettings {
        limits: StepLimits {
            wall: std::time::Duration::from_millis(400),
            ..limits()
        },
        ..settings()
    });
    let recorder = Arc::new(Recorder::default());

    let result = start_with(
        &plugins,
        "never-returns",
        context(&json!({"sleep": true})),
        &recorder,
    )
    .await;

    let failure = failure(result);
    assert_eq!(failure.code, "TIME_LIMIT");
    assert_eq!(
        failure.message,
        "plugin never-returns 0.1.0 was stopped after 400ms, the time limit of one call (the server's setting step-wall-seconds raises it)"
    );
}

#[tokio::test]
async fn a_cancellation_has_a_short_time_limit_of_its_own() {
    let plugin = plugins()
        .add_component(guest("never-returns"))
        .expect("valid");
    let parameters = json!({"sleep": true, "waitFirst": true});
    let recorder = Arc::new(Recorder::default());
    let state = Checkpoint {
        format: 1,
        data: b"null".to_vec(),
    };

    let cancelled = plugins()
        .cancel(&plugin, context(&parameters), state, recorder)
        .await;

    let Err(StepError::Failed(failure)) = cancelled else {
        panic!("{cancelled:?}");
    };
    assert_eq!(failure.code, "TIME_LIMIT");
    assert!(failure.message.contains("300ms"), "{}", failure.message);
}

#[tokio::test]
async fn neighbours_of_busy_guests_go_on() {
    let spinners: Vec<_> = (0..6)
        .map(|_| tokio::spawn(async { start("never-returns", &json!({})).await }))
        .collect();

    let noop = start("noop", &json!({})).await;

    assert_eq!(response(noop), Value::Null);
    for spinner in spinners {
        assert_eq!(
            failure(spinner.await.expect("not cancelled")).code,
            "CPU_LIMIT"
        );
    }
}

#[tokio::test]
async fn steps_beyond_the_slots_wait_for_one() {
    let plugins = open(PluginSettings {
        concurrent_steps: 2,
        ..settings()
    });
    let plugin = plugins.add_component(guest("noop")).expect("valid");
    let steps = (0..40).map(|_| {
        let (plugins, plugin) = (plugins.clone(), plugin.clone());
        let services = Arc::new(Recorder::default());
        tokio::spawn(async move {
            plugins
                .run_step(&plugin, context(&json!({})), StepCall::Start, services)
                .await
        })
    });

    for step in steps.collect::<Vec<_>>() {
        assert_eq!(response(step.await.expect("not cancelled")), Value::Null);
    }
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_any_more_gives_its_slot_back() {
    let plugins = open(PluginSettings {
        concurrent_steps: 1,
        ..settings()
    });
    let recorder = Arc::new(Recorder::default());
    let forever = context(&json!({"sleep": true}));

    let hanging = start_with(&plugins, "never-returns", forever, &recorder);
    let too_long = tokio::time::timeout(std::time::Duration::from_millis(100), hanging).await;

    assert!(too_long.is_err());
    let noop = start_with(&plugins, "noop", context(&json!({})), &recorder).await;
    assert_eq!(response(noop), Value::Null);
}

#[tokio::test]
async fn a_call_from_the_plugins_own_runtime_is_stopped_as_well() {
    let there = plugins()
        .runtime()
        .spawn(async { start("never-returns", &json!({})).await });

    assert_eq!(
        failure(there.await.expect("not cancelled")).code,
        "CPU_LIMIT"
    );
}

#[tokio::test]
async fn hunger_for_memory_is_stopped_by_the_memory_limit() {
    stops(
        "eats-memory",
        json!({}),
        "MEMORY_LIMIT",
        &["33554432 bytes", "memory limit"],
    )
    .await;
}

#[tokio::test]
async fn deep_recursion_uses_up_the_guests_own_stack() {
    stops("recurses", json!({}), "STACK_LIMIT", &["stack"]).await;
    stops("recurses", json!({"frames": true}), "TRAP", &["trapped"]).await;
}

#[tokio::test]
async fn a_response_over_its_limit_is_refused() {
    stops(
        "huge-output",
        json!({"mebibytes": 1}),
        "RESPONSE_LIMIT",
        &["1048578 bytes", "limit is 131072"],
    )
    .await;
}

#[tokio::test]
async fn an_answer_over_the_data_limit_is_not_even_copied() {
    let plugins = open(PluginSettings {
        limits: StepLimits {
            memory_bytes: 128 << 20,
            ..limits()
        },
        ..settings()
    });
    let recorder = Arc::new(Recorder::default());

    let result = start_with(
        &plugins,
        "huge-output",
        context(&json!({"mebibytes": 20})),
        &recorder,
    )
    .await;

    let failure = failure(result);
    assert_eq!(failure.code, "DATA_LIMIT", "{}", failure.message);
    assert!(
        failure.message.contains("16777216 bytes"),
        "{}",
        failure.message
    );
}

#[tokio::test]
async fn a_state_over_its_limit_is_refused_and_one_at_it_comes_back_whole() {
    stops(
        "huge-state",
        json!({"kibibytes": 65}),
        "STATE_LIMIT",
        &["66560 bytes", "limit is 65536"],
    )
    .await;

    let parameters = json!({"kibibytes": 64});
    let Ok(Step::Wait(wait)) = start("huge-state", &parameters).await else {
        panic!("it does not wait");
    };
    let call = StepCall::Resume {
        state: wait.state,
        is_recovery: false,
    };
    let resumed = run(
        plugins(),
        "huge-state",
        context(&parameters),
        call,
        &Arc::default(),
    )
    .await;
    assert_eq!(response(resumed), json!({"bytes": 65536}));
}

#[tokio::test]
async fn a_flood_of_output_is_cut_and_said_once() {
    let recorder = Arc::new(Recorder::default());

    let result = start_with(
        plugins(),
        "floods-log",
        context(&json!({"mebibytes": 2})),
        &recorder,
    )
    .await;

    assert_eq!(response(result), Value::Null);
    let noted = recorder.noted();
    let bytes: usize = noted.lines.iter().map(|(_, line)| line.len()).sum();
    let warnings: Vec<_> = noted
        .lines
        .iter()
        .filter(|(level, _)| *level == LogLevel::Warning)
        .collect();
    assert!(bytes < 9 << 10, "{bytes}");
    assert_eq!(warnings.len(), 1);
    for text in ["8192 bytes", "the log limit", "no setting"] {
        assert!(warnings[0].1.contains(text), "{}", warnings[0].1);
    }
}

#[tokio::test]
async fn a_million_calls_of_the_host_end_in_time() {
    for what in ["log", "clock"] {
        match start("many-host-calls", &json!({"what": what})).await {
            Ok(_) => {}
            Err(StepError::Failed(failure)) => assert_eq!(failure.code, "CPU_LIMIT"),
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_trap_is_told_with_the_guests_last_words() {
    stops(
        "traps",
        json!({}),
        "TRAP",
        &[
            "trapped",
            "about to trap in run 12.34",
            "trapped on purpose",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_response_that_is_no_json_is_refused() {
    stops("bad-json", json!({}), "BAD_ANSWER", &["not JSON"]).await;
}

#[tokio::test]
async fn a_simple_task_must_not_wait() {
    stops(
        "simple-waits",
        json!({}),
        "NOT_RESUMABLE",
        &["asked to wait"],
    )
    .await;
}

#[tokio::test]
async fn a_guest_that_reaches_for_the_machine_gets_nothing() {
    let got = response(start("wrong-imports", &json!({})).await);

    assert_eq!(got["environment"], json!([]));
    assert_eq!(got["arguments"], json!([]));
    assert_eq!(got["stdin"], json!({"got": "0"}));
    for what in ["read", "list", "write", "tcp", "listen", "udp", "dns"] {
        assert!(got[what]["error"].is_string(), "{what}: {}", got[what]);
    }
}

#[tokio::test]
async fn a_task_goes_on_from_what_it_answered() {
    let parameters = json!({"times": 2, "afterMs": 1500});
    let mut result = start("waits", &parameters).await;
    let mut waited = 0;
    while let Ok(Step::Wait(wait)) = result {
        waited += 1;
        assert_eq!(wait.after.as_millis(), 1500);
        let call = StepCall::Resume {
            state: wait.state,
            is_recovery: false,
        };
        result = run(
            plugins(),
            "waits",
            context(&parameters),
            call,
            &Arc::default(),
        )
        .await;
    }

    assert_eq!((waited, response(result)), (2, json!({"steps": 2})));
}

#[tokio::test]
async fn open_resources_are_bounded() {
    let parameters = json!({"url": "https://refused.example", "fanout": 1_001});

    stops(
        "calls-out",
        parameters,
        "RESOURCE_LIMIT",
        &["open resources"],
    )
    .await;
}

#[tokio::test]
async fn headers_over_their_limit_do_not_leave() {
    let many: serde_json::Map<_, _> = (0..40_000)
        .map(|at| (format!("x-{at}"), json!("")))
        .collect();
    let large = json!({"x-large": "x".repeat(70 << 10)});
    for (headers, whole) in [(&large, false), (&large, true), (&Value::from(many), true)] {
        let parameters = json!({
            "url": "https://refused.example", "headers": headers, "whole": whole,
        });
        stops(
            "calls-out",
            parameters,
            "HEADER_LIMIT",
            &["65536 bytes", "headers"],
        )
        .await;
    }
}

/// Where the address space has room for no pool of that size, each step allocates its own memory: another allocator, which
/// counts what an instance is made of as it is made.
fn without_a_pool() -> Plugins {
    open(PluginSettings {
        concurrent_steps: 1 << 20,
        ..settings()
    })
}

async fn run_component(plugins: &Plugins, component: &[u8]) -> Result<Step, StepError> {
    let plugin = plugins.add_component(component).expect("valid");
    let recorder = Arc::new(Recorder::default());
    plugins
        .run_step(&plugin, context(&json!({})), StepCall::Start, recorder)
        .await
}

#[tokio::test]
async fn a_plugin_of_too_many_or_too_large_parts_is_refused_when_it_is_loaded() {
    for (part, number, reason) in [
        ("nothing", 40, "more than 32 core instances"),
        ("memory", 2, "more than 2 memories"),
        ("table", 9, "more than 8 tables"),
        ("large-table", 1, "more than 100000 elements in a table"),
        ("large-memory", 1, "step-memory-mib"),
    ] {
        let component = with_parts(guest("noop"), part, number);

        let error = plugins().add_component(&component).expect_err(part);
        let PluginError::Parts { plugin, .. } = &error else {
            panic!("{part}: {error}");
        };
        assert_eq!(plugin, "noop");
        assert!(error.to_string().contains(reason), "{part}: {error}");
        // Not once more compiled in vain, and not the server's fault, also where it comes from outside.
        let error = plugins().add_upload(component).await.expect_err(part);
        assert!(matches!(error, PluginError::Parts { .. }), "{error}");
    }
}

#[tokio::test]
async fn without_a_pool_too_many_parts_end_the_call() {
    let plugins = without_a_pool();
    for (part, number, code, reason) in [
        (
            "nothing",
            40,
            "INSTANCE_LIMIT",
            "more than 32 core instances",
        ),
        ("memory", 2, "INSTANCE_LIMIT", "more than 2 memories"),
        ("table", 9, "INSTANCE_LIMIT", "more than 8 tables"),
        ("large-table", 1, "TABLE_LIMIT", "100001 elements"),
        ("large-memory", 1, "MEMORY_LIMIT", "33554432 bytes"),
    ] {
        let component = with_parts(guest("noop"), part, number);

        let failure = failure(run_component(&plugins, &component).await);

        assert_eq!(failure.code, code, "{part}: {}", failure.message);
        let message = failure.message;
        assert!(message.contains("plugin noop 0.1.0"), "{message}");
        assert!(message.contains(reason), "{part}: {message}");
    }
    assert_eq!(
        response(run_component(&plugins, guest("noop")).await),
        Value::Null
    );
}

#[tokio::test]
async fn a_table_grows_to_its_limit_and_no_further() {
    let component = with_parts(guest("noop"), "grows-table", 1);
    let pool_or_none = without_a_pool();

    for plugins in [plugins(), &pool_or_none] {
        let failure = failure(run_component(plugins, &component).await);

        assert_eq!(failure.code, "TABLE_LIMIT", "{}", failure.message);
        for text in ["plugin noop 0.1.0", "120001 elements", "is 100000"] {
            assert!(failure.message.contains(text), "{}", failure.message);
        }
    }
}

#[tokio::test]
async fn random_bytes_come_in_portions() {
    for secure in [true, false] {
        let most = json!({"bytes": 65_536, "secure": secure});
        let got = response(start("asks-random", &most).await);
        assert_eq!(got, json!({"bytes": 65_536}));

        let more = json!({"bytes": u64::MAX, "secure": secure});
        stops("asks-random", more, "RANDOM_LIMIT", &["65536 random bytes"]).await;
    }
}

#[tokio::test]
async fn each_limits_message_says_how_it_is_raised() {
    let setting = |name: &str| format!("the server's setting {name} raises it");
    let fixed = "it is the same for all plugins and has no setting".to_owned();
    for (name, parameters, remedy) in [
        ("never-returns", json!({}), setting("step-cpu-seconds")),
        ("eats-memory", json!({}), setting("step-memory-mib")),
        ("recurses", json!({}), fixed.clone()),
        ("huge-output", json!({"mebibytes": 1}), fixed.clone()),
        ("huge-state", json!({"kibibytes": 65}), fixed.clone()),
        (
            "asks-random",
            json!({"bytes": 1 << 20, "secure": true}),
            fixed.clone(),
        ),
        (
            "calls-out",
            json!({"url": "https://refused.example", "fanout": 1_001}),
            fixed,
        ),
    ] {
        let failure = failure(start(name, &parameters).await);
        assert!(failure.message.contains(&remedy), "{}", failure.message);
    }
}

#[tokio::test]
async fn a_grant_lowers_limits_and_never_raises_them() {
    let with = |limits| Grant {
        limits,
        ..Grant::default()
    };
    let plugin = plugins()
        .add_component(guest("never-returns"))
        .expect("valid");
    let less = with(GrantedLimits {
        memory_mebibytes: Some(2),
        wall_seconds: Some(1),
        ..GrantedLimits::default()
    });
    let more = with(GrantedLimits {
        cpu_seconds: Some(3_600),
        ..GrantedLimits::default()
    });
    let run = async |plugin: Plugin, parameters: Value| {
        let recorder = Arc::new(Recorder::default());
        let context = context(&parameters);
        failure(
            plugins()
                .run_step(&plugin, context, StepCall::Start, recorder)
                .await,
        )
    };

    let raised = run(plugin.with_grant(&more), json!({})).await;
    assert!(raised.message.contains("300ms"), "{}", raised.message);
    assert!(raised.message.contains("step-cpu-seconds"));
    let late = run(plugin.with_grant(&less), json!({"sleep": true})).await;
    assert_eq!(late.code, "TIME_LIMIT");
    assert!(late.message.contains("after 1s"), "{}", late.message);
    let granted = "the project's grant sets it: limits.wallSeconds";
    assert!(late.message.contains(granted), "{}", late.message);
    let hungry = plugins()
        .add_component(guest("eats-memory"))
        .expect("valid");
    let hungry = run(hungry.with_grant(&less), json!({})).await;
    assert!(
        hungry.message.contains("2097152 bytes"),
        "{}",
        hungry.message
    );
}
