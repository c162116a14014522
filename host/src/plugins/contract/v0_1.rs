//! Line 0.1: `orchestrator:task`, `orchestrator:delivery` and `orchestrator:host`.

mod answer;
mod question;

use crate::domain::event::Event;
use crate::domain::step::{Checkpoint, Failure, Step, StepCall, StepContext};
use crate::plugins::state::CallState;
use wasmtime::component::{Component, InstancePre};
use wasmtime::{AsContextMut, Engine, Store};

pub(in crate::plugins) use answer::BadAnswer;
pub(in crate::plugins) use delivery::orchestrator::host::mail;
pub(in crate::plugins) use outgoing::orchestrator::host::http;
pub(in crate::plugins) use task::orchestrator::host::{checkpoints, credentials, log};

mod task {
    wasmtime::component::bindgen!({
        path: ["../wit/types/v0.1", "../wit/host/v0.1", "../wit/task/v0.1"],
        world: "orchestrator:task/resumable-task@0.1.0",
        imports: { "orchestrator:host/checkpoints.save": async | trappable, default: trappable },
        exports: { default: async },
    });
}

/// The same without the exports of a task that waits.
mod simple {
    wasmtime::component::bindgen!({
        path: ["../wit/types/v0.1", "../wit/host/v0.1", "../wit/task/v0.1"],
        world: "orchestrator:task/simple-task@0.1.0",
        imports: { default: trappable },
        exports: { default: async },
        with: {
            "orchestrator:types/types@0.1.0": super::task::orchestrator::types::types,
            "orchestrator:host/log@0.1.0": super::task::orchestrator::host::log,
            "orchestrator:host/credentials@0.1.0": super::task::orchestrator::host::credentials,
            "orchestrator:host/checkpoints@0.1.0": super::task::orchestrator::host::checkpoints,
            "orchestrator:task/types@0.1.0": super::task::orchestrator::task::types,
        },
    });
}

mod delivery {
    wasmtime::component::bindgen!({
        path: ["../wit/types/v0.1", "../wit/host/v0.1", "../wit/delivery/v0.1"],
        world: "orchestrator:delivery/mail-delivery@0.1.0",
        imports: { "orchestrator:host/mail.send": async | trappable, default: trappable },
        exports: { default: async },
        with: {
            "orchestrator:types/types@0.1.0": super::task::orchestrator::types::types,
            "orchestrator:host/log@0.1.0": super::task::orchestrator::host::log,
            "orchestrator:host/credentials@0.1.0": super::task::orchestrator::host::credentials,
        },
    });
}

/// What only a plugin's own world imports.
mod outgoing {
    wasmtime::component::bindgen!({
        path: ["../wit/types/v0.1", "../wit/host/v0.1"],
        inline: "package orchestrator:bindings; world outgoing { import orchestrator:host/http@0.1.0; }",
        world: "orchestrator:bindings/outgoing",
        imports: { "orchestrator:host/http.send": async | trappable, default: trappable },
    });
}

const TASK: &str = "orchestrator:task/task@0.1.0";
const RESUMABLE: &str = "orchestrator:task/resumable@0.1.0";
const DELIVERY: &str = "orchestrator:delivery/delivery@0.1.0";

/// A task type, checked and ready to be instantiated.
pub(in crate::plugins) enum TaskExports {
    Simple(simple::SimpleTaskPre<CallState>),
    Resumable(task::ResumableTaskPre<CallState>),
}

/// A delivery, checked and ready to be instantiated.
pub(in crate::plugins) struct DeliveryExports(delivery::MailDeliveryPre<CallState>);

fn exports(engine: &Engine, component: &Component, interface: &str) -> bool {
    let component = component.component_type();
    component.exports(engine).any(|(name, _)| name == interface)
}

/// What else it exports may tell its author what went wrong: another line, or another kind.
fn missing(engine: &Engine, component: &Component, interface: &str) -> wasmtime::Error {
    let component = component.component_type();
    let exported: Vec<&str> = component.exports(engine).map(|(name, _)| name).collect();
    let exported = match exported.as_slice() {
        [] => "nothing".to_owned(),
        names => names.join(", "),
    };
    wasmtime::Error::msg(format!(
        "this host requires that it exports {interface}, it exports {exported}"
    ))
}

impl TaskExports {
    pub(in crate::plugins) fn check(
        engine: &Engine,
        component: &Component,
        linked: InstancePre<CallState>,
    ) -> wasmtime::Result<Self> {
        if !exports(engine, component, TASK) {
            return Err(missing(engine, component, TASK));
        }
        if exports(engine, component, RESUMABLE) {
            task::ResumableTaskPre::new(linked).map(Self::Resumable)
        } else {
            simple::SimpleTaskPre::new(linked).map(Self::Simple)
        }
    }

    pub(in crate::plugins) fn is_resumable(&self) -> bool {
        matches!(self, Self::Resumable(_))
    }

    /// Makes an instance and calls it. The outer error is a trap or a limit, the next one a broken contract, the inner one the
    /// plugin's own.
    pub(in crate::plugins) async fn step(
        &self,
        store: &mut Store<CallState>,
        context: &StepContext,
        call: StepCall,
        response_bytes: usize,
    ) -> wasmtime::Result<Result<Result<Step, Failure>, BadAnswer>> {
        let context = question::context(context);
        let answered = match (self, call) {
            (Self::Simple(linked), StepCall::Start) => {
                let plugin = linked.instantiate_async(store.as_context_mut()).await?;
                plugin
                    .orchestrator_task_task()
                    .call_start(store, &context)
                    .await?
            }
            (Self::Simple(_), StepCall::Resume { .. }) => return Ok(Err(BadAnswer::NotResumable)),
            (Self::Resumable(linked), StepCall::Start) => {
                let plugin = linked.instantiate_async(store.as_context_mut()).await?;
                plugin
                    .orchestrator_task_task()
                    .call_start(store, &context)
                    .await?
            }
            (Self::Resumable(linked), StepCall::Resume { state, is_recovery }) => {
                let (state, wake) = (question::checkpoint(state), question::wake(is_recovery));
                let plugin = linked.instantiate_async(store.as_context_mut()).await?;
                let resumable = plugin.orchestrator_task_resumable();
                resumable.call_resume(store, &context, &state, wake).await?
            }
        };
        Ok(match answered {
            Ok(step) => answer::step(step, self.is_resumable(), response_bytes).map(Ok),
            Err(failure) => Ok(Err(answer::failure(failure))),
        })
    }

    /// Makes an instance and cancels. A task that cannot wait has left nothing running.
    pub(in crate::plugins) async fn cancel(
        &self,
        store: &mut Store<CallState>,
        context: &StepContext,
        state: Checkpoint,
    ) -> wasmtime::Result<Result<(), Failure>> {
        let Self::Resumable(linked) = self else {
            return Ok(Ok(()));
        };
        let plugin = linked.instantiate_async(store.as_context_mut()).await?;
        let (context, state) = (question::context(context), question::checkpoint(state));
        let resumable = plugin.orchestrator_task_resumable();
        let answered = resumable.call_cancel(store, &context, &state).await?;
        Ok(answered.map_err(answer::failure))
    }
}

impl DeliveryExports {
    pub(in crate::plugins) fn check(
        engine: &Engine,
        component: &Component,
        linked: InstancePre<CallState>,
    ) -> wasmtime::Result<Self> {
        if !exports(engine, component, DELIVERY) {
            return Err(missing(engine, component, DELIVERY));
        }
        delivery::MailDeliveryPre::new(linked).map(Self)
    }

    pub(in crate::plugins) async fn deliver(
        &self,
        store: &mut Store<CallState>,
        event: &Event,
    ) -> wasmtime::Result<Result<Option<String>, Failure>> {
        let plugin = self.0.instantiate_async(store.as_context_mut()).await?;
        let event = question::event(event);
        let delivery = plugin.orchestrator_delivery_delivery();
        let answered = delivery.call_deliver(store, &event).await?;
        Ok(answered
            .map(|receipt| receipt.as_deref().map(answer::receipt))
            .map_err(answer::failure))
    }
}
