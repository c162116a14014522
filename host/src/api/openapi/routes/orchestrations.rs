//! `/orchestrations` and what belongs to one of them, its jobs aside.

use crate::api::openapi::failures::{
    DELIVERY_PENDING, FORBIDDEN, OVER_QUOTA, STORAGE_API_REFUSED, TOKENS_ELSEWHERE,
};
use crate::api::openapi::operation::{Group, Operation};
use crate::api::read::{
    CreateBody, Nothing, NotificationBody, TaskBody, UpdateBody, page_parameters,
};
use crate::api::shapes::{DeliveryShape, OrchestrationShape};
use crate::domain::notification::Notification;
use crate::domain::task::Task;

const GROUP: Group = Group("Orchestrations");
type Tasks = [Task];
type Notifications = [Notification];
type One = OrchestrationShape<'static>;

pub(super) fn operations() -> Vec<Operation> {
    let call = |call, id, summary| GROUP.call(call, id, summary);
    let of_one = |path, id, summary| call(path, id, summary).id("id", "The orchestration.");
    vec![
        call(
            "GET /orchestrations",
            "listOrchestrations",
            "All orchestrations",
        )
        .says("By ascending id, without their tasks.")
        .gives::<[One]>(200, "The orchestrations of the project.", "orchestrations"),
        call(
            "POST /orchestrations",
            "createOrchestration",
            "Create an orchestration",
        )
        .says(
            "A token is made for it unless `tokenId` names one. To name another token than its own, \
             the caller's has to be one that manages tokens.",
        )
        .takes::<CreateBody>("newOrchestration")
        .gives::<One>(201, "The new orchestration.", "orchestration")
        .fails(&[FORBIDDEN, OVER_QUOTA, STORAGE_API_REFUSED, TOKENS_ELSEWHERE]),
        of_one(
            "GET /orchestrations/{id}",
            "readOrchestration",
            "An orchestration",
        )
        .gives::<One>(200, "The orchestration.", "orchestration"),
        of_one(
            "PUT /orchestrations/{id}",
            "updateOrchestration",
            "Change an orchestration",
        )
        .says("Jobs that there are keep what they were made with.")
        .may_take::<UpdateBody>("application/json", "orchestrationChange")
        .gives::<One>(200, "The orchestration as it is now.", "orchestration")
        .fails(&[FORBIDDEN, OVER_QUOTA]),
        of_one(
            "DELETE /orchestrations/{id}",
            "deleteOrchestration",
            "Delete an orchestration",
        )
        .says("Its waiting jobs are cancelled, a running one finishes, and its jobs stay readable.")
        .gives_nothing(204, "It is gone."),
        of_one(
            "POST /orchestrations/{id}/create-token",
            "refreshOrchestrationToken",
            "Give an orchestration a fresh token",
        )
        .may_take::<Nothing>("application/json", "nothing")
        .gives::<One>(200, "The orchestration with its token.", "orchestration")
        .fails(&[STORAGE_API_REFUSED, TOKENS_ELSEWHERE]),
        of_one(
            "GET /orchestrations/{id}/tasks",
            "listTasks",
            "The tasks of an orchestration",
        )
        .gives::<Tasks>(200, "The tasks, in their order.", "tasks"),
        of_one(
            "PUT /orchestrations/{id}/tasks",
            "replaceTasks",
            "Replace the tasks of an orchestration",
        )
        .says("A task of equal content keeps its id where none is given.")
        .takes::<[TaskBody]>("newTasks")
        .gives::<Tasks>(202, "The tasks as they are now.", "tasks")
        .fails(&[OVER_QUOTA]),
        notifications(
            "GET /orchestrations/{id}/notifications",
            "listNotifications",
        ),
        notifications(
            "PUT /orchestrations/{id}/notifications",
            "replaceNotifications",
        ),
        notifications(
            "GET /orchestrations/{id}/nofitications",
            "listNofitications",
        )
        .deprecated(),
        notifications(
            "PUT /orchestrations/{id}/nofitications",
            "replaceNofitications",
        )
        .deprecated(),
        of_one(
            "GET /orchestrations/{id}/deliveries",
            "listDeliveries",
            "What became of its notifications",
        )
        .with(page_parameters())
        .gives::<[DeliveryShape<'static>]>(200, "Deliveries, newest first.", "deliveries")
        .counted(),
        of_one(
            "POST /orchestrations/{id}/deliveries/{delivery}/redeliver",
            "redeliver",
            "Send a notification once more",
        )
        .id("delivery", "The delivery, which has to be over.")
        .gives::<DeliveryShape<'static>>(202, "The delivery, which is due again.", "delivery")
        .fails(&[DELIVERY_PENDING]),
    ]
}

/// Under its own name and under the one that the first description of this API printed.
fn notifications(path: &'static str, id: &'static str) -> Operation {
    if path.starts_with("GET") {
        GROUP
            .call(path, id, "The notifications of an orchestration")
            .id("id", "The orchestration.")
            .gives::<Notifications>(200, "The subscriptions.", "notifications")
    } else {
        GROUP
            .call(path, id, "Replace the notifications of an orchestration")
            .id("id", "The orchestration.")
            .takes::<[NotificationBody]>("newNotifications")
            .gives::<Notifications>(202, "The subscriptions as they are now.", "notifications")
            .fails(&[OVER_QUOTA])
    }
}
