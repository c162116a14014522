//! `/operator`, for whoever runs the server. A server without an operator's token has no such calls.

use crate::api::openapi::failures::{MASTER_TOKEN, TOKENS_ELSEWHERE};
use crate::api::openapi::operation::{Access, Group, JSON, Operation};
use crate::api::read::{NewProjectBody, Nothing, TokenForm};
use crate::api::shapes::{ProjectShape, WholeTokenShape};
use crate::store::{ProjectChange, TokenChange};

const GROUP: Group = Group("Operator");
const FORM: &str = "application/x-www-form-urlencoded";
type Project = ProjectShape<'static>;
type Token = WholeTokenShape<'static>;

pub(super) fn operations() -> Vec<Operation> {
    let call = |path, id, summary| GROUP.call(path, id, summary).by(Access::Operator);
    let of_one = |path, id, summary| call(path, id, summary).id("id", "The project.");
    let of_token = |path, id, summary| of_one(path, id, summary).id("token", "The token.");
    vec![
        call("GET /operator/projects", "listProjects", "All projects").gives::<[Project]>(
            200,
            "The projects.",
            "projects",
        ),
        call(
            "POST /operator/projects",
            "createProject",
            "Create a project",
        )
        .takes::<NewProjectBody>("newProject")
        .gives::<Project>(
            201,
            "The project with its master token, which is shown this once.",
            "newProjectAnswer",
        )
        .fails(&[TOKENS_ELSEWHERE]),
        of_one("GET /operator/projects/{id}", "readProject", "A project").gives::<Project>(
            200,
            "The project.",
            "project",
        ),
        of_one(
            "PUT /operator/projects/{id}",
            "changeProject",
            "Change a project",
        )
        .may_take::<ProjectChange>(JSON, "projectChange")
        .gives::<Project>(200, "The project as it is now.", "project"),
        of_one(
            "DELETE /operator/projects/{id}",
            "deleteProject",
            "Delete a project",
        )
        .says("With all that is in it. For everybody it is gone at once.")
        .gives_nothing(204, "It is gone."),
        of_one(
            "GET /operator/projects/{id}/tokens",
            "listProjectTokens",
            "The tokens of a project",
        )
        .gives::<[Token]>(200, "The tokens.", "tokens")
        .fails(&[TOKENS_ELSEWHERE]),
        of_one(
            "POST /operator/projects/{id}/tokens",
            "createProjectToken",
            "Create a token of a project",
        )
        .may_take::<TokenChange>(JSON, "newToken")
        .may_take::<TokenForm>(FORM, "")
        .gives::<Token>(
            201,
            "The new token with its value, which is shown this once.",
            "tokenWithValue",
        )
        .fails(&[TOKENS_ELSEWHERE]),
        of_token(
            "DELETE /operator/projects/{id}/tokens/{token}",
            "revokeProjectToken",
            "Revoke a token of a project",
        )
        .says("It is deleted, or disabled where something uses it.")
        .gives_nothing(204, "It is refused from now on.")
        .fails(&[MASTER_TOKEN, TOKENS_ELSEWHERE]),
        of_token(
            "POST /operator/projects/{id}/tokens/{token}/refresh",
            "rotateProjectToken",
            "Give a token of a project a new value",
        )
        .may_take::<Nothing>(JSON, "nothing")
        .gives::<Token>(
            200,
            "The token with its value, which is shown this once.",
            "tokenWithValue",
        )
        .fails(&[TOKENS_ELSEWHERE]),
    ]
}
