//! Bindings that are generated from the contract in `wit/`. Everything that a plugin needs of them is re-exported by
//! the modules [`task`](crate::task), [`delivery`](crate::delivery), [`log`](crate::log) and [`mail`](crate::mail).
#![expect(
    missing_docs,
    reason = "generated: the documentation is the contract's"
)]

pub mod task {
    wit_bindgen::generate!({
        path: ["../../wit/types/v0.1", "../../wit/host/v0.1", "../../wit/task/v0.1"],
        world: "orchestrator:task/resumable-task@0.1.0",
        generate_all,
        additional_derives: [PartialEq],
        export_macro_name: "export_task_world",
        pub_export_macro: true,
    });
}

pub mod delivery {
    wit_bindgen::generate!({
        path: ["../../wit/types/v0.1", "../../wit/host/v0.1", "../../wit/delivery/v0.1"],
        world: "orchestrator:delivery/mail-delivery@0.1.0",
        with: {
            "orchestrator:types/types@0.1.0": crate::bindings::task::orchestrator::types::types,
            "orchestrator:host/log@0.1.0": crate::bindings::task::orchestrator::host::log,
            "orchestrator:host/credentials@0.1.0": crate::bindings::task::orchestrator::host::credentials,
        },
        generate_all,
        additional_derives: [PartialEq],
        export_macro_name: "export_delivery_world",
        pub_export_macro: true,
    });
}

/// Whole exchanges. A plugin has them where it makes one, whatever else it is.
pub mod http {
    wit_bindgen::generate!({
        path: ["../../wit/types/v0.1", "../../wit/host/v0.1"],
        inline: "package orchestrator:sdk; world exchanges { import orchestrator:host/http@0.1.0; }",
        world: "orchestrator:sdk/exchanges",
        generate_all,
    });
}
